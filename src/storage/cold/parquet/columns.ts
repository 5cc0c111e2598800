import type { SchemaElement } from 'hyparquet';

/** The value of a cell: text, int64, boolean, bytes; null in nullable columns. */
export type ColumnValue = string | bigint | boolean | Uint8Array | null;

/**
 * The type of a column. `string`: UTF-8 text. `int64`: signed. `timestamp`: UTC, an int64 of microseconds. `binary`:
 * bytes. Unsigned 64-bit numbers and wider ones are strings: Parquet's unsigned and decimal types are read differently
 * by different engines.
 */
export type ColumnType = 'string' | 'int64' | 'timestamp' | 'boolean' | 'binary';

/** One column of a file of ours. */
export interface ColumnSpec {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** Keep the smallest and largest value of each row group in the footer, to pass over row groups by. */
  readonly statistics: boolean;
  /** Values hardly ever repeat: do not look for a dictionary. */
  readonly distinct: boolean;
  /** Values rise slowly or lie close together (int64 only): keep differences. */
  readonly deltas: boolean;
  /** Its meaning, for people who look at the table's schema. */
  readonly comment: string;
}

type Options = Partial<Pick<ColumnSpec, 'nullable' | 'statistics' | 'distinct' | 'deltas' | 'comment'>>;

/** A column with everything off that `options` does not turn on. */
export function column(name: string, type: ColumnType, options: Options = {}): ColumnSpec {
  return { name, type, nullable: false, statistics: false, distinct: false, deltas: false, comment: '', ...options };
}

/** The Parquet schema of a file with these columns: a root and its leaves. */
export function schemaElements(columns: readonly ColumnSpec[]): SchemaElement[] {
  return [{ name: 'root', num_children: columns.length }, ...columns.map(leafElement)];
}

function leafElement({ name, type, nullable }: ColumnSpec): SchemaElement {
  const repetition_type = nullable ? 'OPTIONAL' : 'REQUIRED';
  switch (type) {
    case 'string':
      return { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type };
    case 'int64':
      return { name, type: 'INT64', repetition_type };
    case 'timestamp':
      return { name, type: 'INT64', converted_type: 'TIMESTAMP_MICROS', repetition_type };
    case 'boolean':
      return { name, type: 'BOOLEAN', repetition_type };
    case 'binary':
      return { name, type: 'BYTE_ARRAY', repetition_type };
  }
}
