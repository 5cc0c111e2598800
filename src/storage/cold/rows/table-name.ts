import { allOf } from '../../../core/parallel.js';

/** The tables of records, whose versions the ledger names. */
export const NAMED_TABLES = ['messages', 'verifier_results', 'executions'] as const;

/** The tables of a namespace, in the order in which a flush commits them; the ledger is the last and decides. */
export const TABLE_NAMES = [...NAMED_TABLES, 'ledger'] as const;

export type NamedTable = (typeof NAMED_TABLES)[number];

/** Name and folder of a table. */
export type TableName = (typeof TABLE_NAMES)[number];

/** The same of every table of records. */
export function byNamedTable<T>(of: (table: NamedTable) => T): Record<NamedTable, T> {
  return { messages: of('messages'), verifier_results: of('verifier_results'), executions: of('executions') };
}

/** The same of every table. */
export function byTable<T>(of: (table: TableName) => T): Record<TableName, T> {
  return { ...byNamedTable(of), ledger: of('ledger') };
}

/** The same of every table of records, at once; waits for all, also when one fails. */
export async function ofNamedTables<T>(of: (table: NamedTable) => Promise<T>): Promise<Record<NamedTable, T>> {
  const [messages, verifier_results, executions] = await allOf([
    of('messages'),
    of('verifier_results'),
    of('executions'),
  ]);
  return { messages, verifier_results, executions };
}
