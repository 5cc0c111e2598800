import type { Namespace } from './namespace.js';

/** A query of ours: prepared once a connection under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Makes statements in which every `@table` is that table of the namespace. */
export function statementsOf(namespace: Namespace): (name: string, text: string) => Statement {
  return (name, text) => ({ name, text: text.replace(/@([a-z_]+)/g, `${namespace.schema}.$1`) });
}

/** A row as Postgres sent it: text, or null. Decode it with `columns.ts`. */
export type Row = readonly (string | null)[];
