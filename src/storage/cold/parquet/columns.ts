import type { SchemaElement } from 'hyparquet';

/** The value of a cell: text, int64 or decimal, boolean, bytes, a list of texts; null in nullable columns. */
export type ColumnValue = string | bigint | boolean | Uint8Array | readonly string[] | null;

/**
 * The type of a column. `string`: UTF-8 text. `int64`: signed. `timestamp`: UTC, an int64 of microseconds. `binary`:
 * bytes. `decimal`: a whole number of at most 38 digits, the widest that all engines have. `strings`: a list of texts,
 * none of them null. Unsigned 64-bit numbers are strings: Parquet's unsigned types are read differently by different
 * engines.
 */
export type ColumnType = 'string' | 'int64' | 'timestamp' | 'boolean' | 'binary' | 'decimal' | 'strings';

/** The digits of a `decimal`. */
export const DECIMAL_DIGITS = 38;

/** One column of a file of ours. */
export interface ColumnSpec {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** Keep the smallest and largest value of each row group in the footer, to pass over row groups by. */
  readonly statistics: boolean;
  /** Keep a bloom filter of each row group's values, for other engines: our readers have an index (string only). */
  readonly bloomFilter: boolean;
  /** Values hardly ever repeat: do not look for a dictionary. */
  readonly distinct: boolean;
  /** Values rise slowly or lie close together (int64 only): keep differences. */
  readonly deltas: boolean;
  /** It came after its table, at the end: files of before do not have it. */
  readonly added: boolean;
  /** Its meaning, for people who look at the table's schema. */
  readonly comment: string;
}

type Options = Partial<Omit<ColumnSpec, 'name' | 'type'>>;

const PLAIN = {
  ...{ nullable: false, statistics: false, bloomFilter: false, distinct: false, deltas: false, added: false },
  comment: '',
};

/** A column with everything off that `options` does not turn on. */
export function column(name: string, type: ColumnType, options: Options = {}): ColumnSpec {
  return { name, type, ...PLAIN, ...options };
}

/** The columns of a table that files of before `added` have. */
export function firstColumns(columns: readonly ColumnSpec[]): readonly ColumnSpec[] {
  return columns.filter(({ added }) => !added);
}

/** A column of a file: the elements of the schema from it down to the one leaf that has its values. */
export interface FileColumn {
  readonly name: string;
  /** One for a flat column, three for a list: the list, its repeated group, its element. */
  readonly path: readonly SchemaElement[];
  readonly leaf: SchemaElement;
}

/** The columns that files have for these. */
export function fileColumns(columns: readonly ColumnSpec[]): FileColumn[] {
  return columns.map((spec) => {
    const leaf = leafElement(spec);
    return { name: spec.name, path: spec.type === 'strings' ? listPath(spec, leaf) : [leaf], leaf };
  });
}

/** The Parquet schema of a file with these columns: a root and, in their order, the elements of each. */
export function schemaElements(columns: readonly FileColumn[]): SchemaElement[] {
  return [{ name: 'root', num_children: columns.length }, ...columns.flatMap(({ path }) => path)];
}

/** The elements of a list. */
export const LIST_DEPTH = 3;

/** Whether a column of these elements is a list, in the shape of `fileColumns`. */
export function isList(path: FileColumn['path']): boolean {
  const repeated = path.map(({ repetition_type }) => repetition_type === 'REPEATED');
  return path.length === LIST_DEPTH && !repeated[0] && repeated[1] === true && !repeated[2];
}

/** apache/parquet-format, LogicalTypes.md, "Lists". */
function listPath({ name, nullable }: ColumnSpec, leaf: SchemaElement): SchemaElement[] {
  return [
    { name, converted_type: 'LIST', num_children: 1, repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED' },
    { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
    leaf,
  ];
}

function leafElement({ name, type, nullable }: ColumnSpec): SchemaElement {
  const repetition_type = nullable ? 'OPTIONAL' : 'REQUIRED';
  switch (type) {
    case 'string':
      return { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type };
    case 'strings':
      return { name: 'element', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' };
    case 'int64':
      return { name, type: 'INT64', repetition_type };
    case 'timestamp':
      return { name, type: 'INT64', converted_type: 'TIMESTAMP_MICROS', repetition_type };
    case 'boolean':
      return { name, type: 'BOOLEAN', repetition_type };
    case 'binary':
      return { name, type: 'BYTE_ARRAY', repetition_type };
    case 'decimal':
      return { name, type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, repetition_type, ...DECIMAL };
  }
}

const DECIMAL = { converted_type: 'DECIMAL', precision: DECIMAL_DIGITS, scale: 0 } as const;
