import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import type { QueryParameter } from '../list-parameters.js';
import type { DescribedVersion, RouteDefinition } from './route-definition.js';

/** A JSON value under construction. */
type Json = Record<string, unknown>;

const SCHEMA_PREFIX = '#/components/schemas/';

/** A place where the paths of the document are answered, with the variables in its URL. */
export interface OpenApiServer {
  readonly url: string;
  readonly description?: string;
  readonly variables?: Readonly<Record<string, { readonly enum: readonly string[]; readonly default: string }>>;
}

/**
 * The OpenAPI 3.1 document of the query API, from the definitions that the server itself is built of.
 * @param servers none: beside the document.
 */
export function createOpenApiDocument(
  version: string,
  versions: readonly DescribedVersion[],
  servers: readonly OpenApiServer[],
): Json {
  const named = nameSchemas(versions);
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'CCV indexer query API',
      version,
      description:
        'Cross-chain messages and the verifications that CCVs give them. Integers of format uint64 and uint256 are ' +
        'JSON numbers with all their digits. An answer covers everything asked for, or it is an error. Where several ' +
        'namespaces are served, each has all paths below /ns/{namespace}.',
    },
    ...(servers.length > 0 && { servers }),
    paths: Object.fromEntries(
      versions.flatMap(({ routes, error }) =>
        routes.map((route) => [route.path.replace(/:([A-Za-z]+)/, '{$1}'), { get: operation(route, error, named) }]),
      ),
    ),
    components: { schemas: named.schemas },
  };
}

interface Named {
  readonly schemas: Json;
  readonly names: ReadonlyMap<z.ZodType, string>;
}

function nameSchemas(versions: readonly DescribedVersion[]): Named {
  const registry = z.registry<{ id: string }>();
  const names = new Map<z.ZodType, string>();
  for (const [id, schema] of versions.flatMap(({ schemas }) => Object.entries(schemas))) {
    registry.add(schema, { id });
    names.set(schema, id);
  }
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `${SCHEMA_PREFIX}${id}` });
  return {
    schemas: Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, withoutHead(schema)])),
    names,
  };
}

function operation(route: RouteDefinition, error: DescribedVersion['error'], named: Named): Json {
  const parameters = [
    ...route.pathParameters.map(({ name, description, schema }) => ({
      name,
      in: 'path',
      required: true,
      description,
      schema: withoutHead(z.toJSONSchema(schema)),
    })),
    ...route.queryParameters.map(queryParameter),
  ];
  return {
    operationId: route.id,
    summary: route.summary,
    ...(parameters.length > 0 && { parameters }),
    responses: {
      200: { description: 'OK', ...(route.answer && { content: content(route.answer, named) }) },
      ...(route.isTagged && { 304: { description: 'Not Modified: If-None-Match names the ETag of the answer.' } }),
      ...Object.fromEntries(
        errorsOf(route).map((status) => [
          status,
          { description: STATUS_CODES[status], content: content(error.schema, named, error.mediaType) },
        ]),
      ),
    },
  };
}

/** Statuses of requests that are refused before their route is looked at. */
const COMMON_ERRORS = [400, 405, 408, 414, 417, 431];

function errorsOf({ errors }: RouteDefinition): readonly number[] {
  return [...new Set([...COMMON_ERRORS, ...errors])].sort((a, b) => a - b);
}

function queryParameter(definition: QueryParameter<unknown>): Json {
  return {
    name: definition.name,
    in: 'query',
    required: false,
    description: definition.description,
    ...(definition.kind === 'list' && { style: 'form', explode: false }),
    // an empty value is read as an absent one
    allowEmptyValue: true,
    schema: orEmpty(definition, {
      ...withoutHead(z.toJSONSchema(definition.schema, { io: definition.shown, unrepresentable: 'any' })),
      ...(definition.default !== undefined && { default: definition.default }),
    }),
  };
}

/** Text may be empty; an empty list has no items, and a number has no other form. */
function orEmpty({ kind, shown }: QueryParameter<unknown>, schema: Json): Json {
  return kind === 'single' && shown === 'input' ? { anyOf: [schema, { const: '' }] } : schema;
}

function content(schema: z.ZodType, { names }: Named, mediaType = 'application/json'): Json {
  const name = names.get(schema);
  return {
    [mediaType]: {
      schema: name === undefined ? withoutHead(z.toJSONSchema(schema)) : { $ref: `${SCHEMA_PREFIX}${name}` },
    },
  };
}

/** The dialect is said once for the whole document, and a schema's place in it is its id. */
function withoutHead(schema: object): Json {
  const { $schema, $id, ...rest } = schema as Json;
  return rest;
}
