import { toHex, toNumber, toText } from '../rows/columns.js';
import type { Diagnosis } from './diagnose.js';

/** Quarantined input of one source and reason, or conflicts of one kind of record. */
export interface Refusals {
  readonly source: string;
  readonly reason: string;
  readonly entries: number;
  /** Of those, the ones stored since the time that was asked for. */
  readonly recent: number;
  /** Of the last one, unix ms. */
  readonly lastMs: number;
  /** What the last one says. */
  readonly lastDetail: string;
}

/** Groups of quarantined input, by source and reason. */
export async function quarantined({ ask }: Diagnosis, sinceMs: number): Promise<readonly Refusals[]> {
  const rows = await ask(
    'count its quarantine',
    `SELECT q.source_id, q.reason, count(*), count(*) FILTER (WHERE q.ingestion_ms >= $1::bigint), max(q.ingestion_ms),
       (array_agg(q.detail ORDER BY q.position DESC))[1]
     FROM @quarantine q GROUP BY 1, 2 ORDER BY 1, 2`,
    [sinceMs],
  );
  return rows.map(
    (row): Refusals => ({
      source: toText(row[0]),
      reason: toText(row[1]),
      entries: toNumber(row[2]),
      recent: toNumber(row[3]),
      lastMs: toNumber(row[4]),
      lastDetail: toText(row[5]),
    }),
  );
}

/** Conflicts, by kind of record. */
export async function conflicted({ ask }: Diagnosis, sinceMs: number): Promise<readonly Refusals[]> {
  const rows = await ask(
    'count its conflicts',
    `SELECT k.record, count(*), count(*) FILTER (WHERE k.ingestion_ms >= $1::bigint), max(k.ingestion_ms),
       (array_agg(k.message_id ORDER BY k.position DESC))[1]
     FROM @conflicts k GROUP BY 1 ORDER BY 1`,
    [sinceMs],
  );
  return rows.map(
    (row): Refusals => ({
      source: toNumber(row[0]) === 0 ? 'messages' : 'verifier results',
      reason: 'conflict',
      entries: toNumber(row[1]),
      recent: toNumber(row[2]),
      lastMs: toNumber(row[3]),
      lastDetail: toHex(row[4]),
    }),
  );
}
