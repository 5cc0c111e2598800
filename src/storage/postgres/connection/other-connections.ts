import type { Namespace } from './namespace.js';

/**
 * Counts the connections of processes that work on a namespace, as far as the server lets the account see. The answer
 * is one row of one bigint.
 */
export function otherConnections({ schema, channel }: Namespace): { readonly text: string; readonly values: string[] } {
  return {
    text: `SELECT count(*) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'ccv-indexer' AND pid <> pg_backend_pid()
        AND (strpos(query, $1) > 0 OR strpos(query, $2) > 0)`,
    values: [`${schema}.`, `LISTEN "${channel}"`],
  };
}
