import { type ColumnSpec, type ColumnType, DECIMAL_DIGITS } from '../parquet/columns.js';

/** The partition column of every table of ours: the day of ingestion, UTC. */
export const DAY_COLUMN = 'day';

const TYPE_NAMES: Readonly<Record<ColumnType, string | object>> = {
  string: 'string',
  int64: 'long',
  timestamp: 'timestamp',
  boolean: 'boolean',
  binary: 'binary',
  decimal: `decimal(${DECIMAL_DIGITS},0)`,
  strings: { type: 'array', elementType: 'string', containsNull: false },
};

/**
 * `metaData.schemaString` of a table with these columns, and the partition column `day` (a date) after them, which is
 * not in the files (PROTOCOL.md, "Schema Serialization Format").
 */
export function tableSchemaString(columns: readonly ColumnSpec[]): string {
  const fields = [
    ...columns.map(({ name, type, nullable, comment }) => ({
      ...{ name, type: TYPE_NAMES[type], nullable },
      metadata: comment === '' ? {} : { comment },
    })),
    { name: DAY_COLUMN, type: 'date', nullable: true, metadata: { comment: 'Partition: a day, UTC.' } },
  ];
  return JSON.stringify({ type: 'struct', fields });
}

/** Whether a `metaData.schemaString` is of a table with these columns, whatever their comments. */
export function isSchemaOf(columns: readonly ColumnSpec[], schemaString: string): boolean {
  return withoutComments(schemaString) === withoutComments(tableSchemaString(columns));
}

/** Text that is no JSON stays as it is: it is no schema of ours. */
function withoutComments(schemaString: string): string {
  try {
    return JSON.stringify(JSON.parse(schemaString), (name, value: unknown) => (name === 'metadata' ? {} : value));
  } catch {
    return schemaString;
  }
}
