import type { Namespace } from './namespace.js';

/** A query of ours: prepared once a connection under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  /** Rows come in binary: columns are of the types that `SentRow` knows. Otherwise they come as text. */
  readonly binary?: boolean;
}

/** Makes statements in which every `@table` is that table of the namespace. */
export function statementsOf(
  namespace: Namespace,
): (name: string, text: string, how?: Pick<Statement, 'binary'>) => Statement {
  return (name, text, how) => ({ name, text: text.replace(/@([a-z_]+)/g, `${namespace.schema}.$1`), ...how });
}

/** A field: text as Postgres sent it; of a binary row, a value of its type, a row for a composite one. */
export type Field = string | number | bigint | boolean | Buffer | Row | null;

/** The fields of a row. Decode them with `columns.ts`. */
export type Row = readonly Field[];
