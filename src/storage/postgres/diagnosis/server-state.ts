import { toBoolean, toNumber, toText } from '../rows/columns.js';
import type { Diagnosis } from './diagnose.js';

/** The server behind a URI. */
export interface ServerState {
  readonly version: string;
  /** It is a standby, or was told to take no writes. */
  readonly isReadOnly: boolean;
  readonly isStandby: boolean;
  /** Its clock, unix ms. */
  readonly nowMs: number;
}

/** Asks the server who it is. */
export async function serverState({ ask }: Diagnosis): Promise<ServerState> {
  const [row = []] = await ask(
    'describe itself',
    // the transaction of the question is read-only by itself: the setting is that of others
    `SELECT current_setting('server_version'), pg_is_in_recovery(),
       current_setting('default_transaction_read_only') = 'on', (extract(epoch FROM clock_timestamp()) * 1000)::bigint`,
  );
  const isStandby = toBoolean(row[1]);
  return {
    version: toText(row[0]),
    isStandby,
    isReadOnly: isStandby || toBoolean(row[2]),
    nowMs: toNumber(row[3]),
  };
}
