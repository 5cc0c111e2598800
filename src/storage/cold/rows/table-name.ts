/** The tables of a namespace, in the order in which a flush prepares them; the ledger is the last and decides. */
export const TABLE_NAMES = ['messages', 'verifier_results', 'ledger'] as const;

/** Name and folder of a table. */
export type TableName = (typeof TABLE_NAMES)[number];
