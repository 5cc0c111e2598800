import { CLOCK, CLOCK_COLUMNS, CLOCK_WIDTH, type ClockRow, decodeClock } from '../clock/clock-row.js';
import { toNumber } from '../rows/columns.js';
import type { Diagnosis } from './diagnose.js';

/** The commit clock, and the server's own at that moment, unix ms. */
export type IngestClock = ClockRow & { readonly serverMs: number };

/** Reads the commit clock of the namespace. */
export async function ingestClock({ ask }: Diagnosis): Promise<IngestClock> {
  const [row = []] = await ask(
    'read its commit clock',
    `SELECT ${CLOCK_COLUMNS}, (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM ${CLOCK}`,
  );
  return { ...decodeClock(row), serverMs: toNumber(row[CLOCK_WIDTH]) };
}
