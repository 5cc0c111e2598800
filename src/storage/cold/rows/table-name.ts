/** The tables whose versions the ledger names. */
export const NAMED_TABLES = ['messages', 'verifier_results'] as const;

/** The tables of a namespace, in the order in which a flush prepares them; the ledger is the last and decides. */
export const TABLE_NAMES = [...NAMED_TABLES, 'ledger'] as const;

export type NamedTable = (typeof NAMED_TABLES)[number];

/** Name and folder of a table. */
export type TableName = (typeof TABLE_NAMES)[number];
