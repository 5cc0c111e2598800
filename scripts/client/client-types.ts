/** The part of JSON Schema that the schemas of the document use. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly pattern?: string;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description?: string;
  readonly schema: Schema;
}

interface Operation {
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema: Schema }>> }>>;
}

/** The part of an OpenAPI document that types are made of. */
export interface TypedDocument {
  readonly paths: Readonly<Record<string, { readonly get: Operation }>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const HEAD = `// Made of the OpenAPI document by \`npm run client\`. Change the schemas of src/api/v2, and make it anew.

/** Bytes: 0x and lower-case hex. */
export type Hex = \`0x\${string}\`;
`;
const COLUMNS = 118;

/** TypeScript of the answers and parameters of \`/v2\`, as the formatter leaves it. */
export function clientTypes({ paths, components }: TypedDocument): string {
  const routes = Object.entries(paths).filter(([path]) => path.startsWith('/v2/'));
  const named = new Set<string>();
  const written = (schema: Schema, indent: string): string => {
    if (schema.$ref !== undefined) {
      const name = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
      named.add(name);
      return typeName(name);
    }
    return typeOf(schema, indent, written);
  };
  const table = [
    '/** The routes: parameters of the path and of the query, and the answer. */',
    'export interface Routes {',
    ...routes.flatMap(([path, { get }]) => route(path, get, written)),
    '}',
  ].join('\n');
  const types: string[] = [];
  for (const name of named) {
    const schema = components.schemas[name];
    if (!schema) throw new TypeError(`the document has no schema ${name}`);
    types.push(`export interface ${typeName(name)} ${typeOf(schema, '', written)}\n`);
  }
  return [HEAD, ...types.sort(), `${table}\n`].join('\n');
}

/** Names of the second version are those of the client. */
function typeName(name: string): string {
  return name.replace(/V2$/, '');
}

function route(path: string, { summary, parameters = [], responses }: Operation, written: Writer): string[] {
  const answer = responses['200']?.content?.['application/json']?.schema;
  if (!answer) throw new TypeError(`${path} has no answer`);
  const of = (place: string) => parameters.filter((parameter) => parameter.in === place);
  return [
    ...comment(summary, '  '),
    `  '${path}': {`,
    ...group('path', of('path'), '', written),
    ...group('query', of('query'), ' | undefined', written),
    `    readonly answer: ${written(answer, '    ')};`,
    '  };',
  ];
}

function group(name: string, parameters: readonly Parameter[], orAbsent: string, written: Writer): string[] {
  if (parameters.length === 0) return [`    readonly ${name}: Record<never, never>;`];
  const mark = orAbsent === '' ? '' : '?';
  return [
    `    readonly ${name}: {`,
    ...parameters.flatMap((parameter) => [
      ...comment(parameter.description, '      '),
      `      readonly ${parameter.name}${mark}: ${written(withoutEmpty(parameter.schema), '      ')}${orAbsent};`,
    ]),
    '    };',
  ];
}

/** An empty value of a parameter is one that is absent. */
function withoutEmpty(schema: Schema): Schema {
  const [first, ...others] = schema.anyOf?.filter((each) => each.const !== '') ?? [];
  if (first === undefined) return schema;
  return others.length === 0 ? first : { ...schema, anyOf: [first, ...others] };
}

type Writer = (schema: Schema, indent: string) => string;

function typeOf(schema: Schema, indent: string, written: Writer): string {
  if (schema.enum) return schema.enum.map((value) => `'${value}'`).join(' | ');
  if (schema.const !== undefined) return `'${schema.const}'`;
  if (schema.anyOf) return [...new Set(schema.anyOf.map((each) => written(each, indent)))].join(' | ');
  const { type } = schema;
  if (typeof type === 'object') return type.map((each) => written({ ...schema, type: each }, indent)).join(' | ');
  switch (type) {
    case 'string':
      return schema.pattern?.startsWith('^0x') ? 'Hex' : 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
    case 'null':
      return type;
    case 'array': {
      const item = written(schema.items ?? {}, indent);
      return / \| /.test(item) && !item.startsWith('{') ? `readonly (${item})[]` : `readonly ${item}[]`;
    }
    case 'object':
      return objectOf(schema, indent, written);
    default:
      throw new TypeError(`no type for ${JSON.stringify(schema)}`);
  }
}

function objectOf({ properties = {}, required = [] }: Schema, indent: string, written: Writer): string {
  const inner = `${indent}  `;
  const lines = Object.entries(properties).flatMap(([name, schema]) => [
    ...comment(schema.description, inner),
    `${inner}readonly ${/^\w+$/.test(name) && !/^\d/.test(name) ? name : `'${name}'`}${required.includes(name) ? '' : '?'}: ${written(schema, inner)};`,
  ]);
  return ['{', ...lines, `${indent}}`].join('\n');
}

/** Said of every value of its kind: the type says it. */
const OF_KINDS = ['Bytes as', 'A whole number in decimal digits', 'RFC 3339, UTC'];

function comment(text: string | undefined, indent: string): string[] {
  if (text === undefined || OF_KINDS.some((each) => text.startsWith(each))) return [];
  const line = `${indent}/** ${text} */`;
  if (line.length <= COLUMNS) return [line];
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.length - 1;
    const longer = lines[last] === '' ? word : `${lines[last]} ${word}`;
    if (indent.length + 3 + longer.length <= COLUMNS) lines[last] = longer;
    else lines.push(word);
  }
  return [`${indent}/**`, ...lines.map((each) => `${indent} * ${each}`), `${indent} */`];
}
