import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';

/** Rows of a query: bytes as `Uint8Array`, lists as arrays, 64-bit numbers as bigint, the rest as it is. */
export type DuckDBRow = Readonly<Record<string, unknown>>;

/** A DuckDB in memory. It knows nothing of this product. */
export interface TestDuckDB {
  run(sql: string): Promise<void>;
  rows(sql: string): Promise<readonly DuckDBRow[]>;
  close(): void;
}

export async function openDuckDB(): Promise<TestDuckDB> {
  const instance = await DuckDBInstance.create();
  const connection: DuckDBConnection = await instance.connect();
  return {
    run: async (sql) => {
      await connection.run(sql);
    },
    rows: async (sql) => (await connection.runAndReadAll(sql)).getRowObjects().map(plainRow),
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

function plainRow(row: Readonly<Record<string, unknown>>): DuckDBRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]));
}

function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('items' in value) return value.items;
  return 'bytes' in value && value.bytes instanceof Uint8Array ? value.bytes : value;
}
