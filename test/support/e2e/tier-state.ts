import { parseExactJson } from '../../../src/protocol/exact-json.js';
import type { BackendStatus } from '../../../src/sink/sink-status.js';
import { eventually } from '../eventually.js';
import type { TestDatabase } from '../postgres/postgres.js';
import { body } from './http.js';

/** Where a namespace's database stands. */
export interface WarmState {
  readonly position: bigint;
  /** Everything at or below this ingestion time (unix ms) is pruned; -1: nothing is. */
  readonly floorMs: number;
  readonly floorPosition: bigint;
  /** Messages that are still there. */
  readonly messages: number;
}

export async function warmState(database: TestDatabase, namespace: string): Promise<WarmState> {
  const { rows } = await database.sql(
    `SELECT last_position, floor_ms, floor_position, (SELECT count(*)::int FROM ${namespace}.messages) AS messages
     FROM ${namespace}.ingest_clock`,
  );
  const [row] = rows as { last_position: string; floor_ms: string; floor_position: string; messages: number }[];
  if (!row) throw new Error(`${namespace} has no clock`);
  return {
    position: BigInt(row.last_position),
    floorMs: Number(row.floor_ms),
    floorPosition: BigInt(row.floor_position),
    messages: row.messages,
  };
}

/** Verifier results in the database that were ingested by then: pruned ones have gone, not only below the floor. */
export async function resultsThrough(database: TestDatabase, namespace: string, ms: number): Promise<number> {
  const query = `SELECT count(*)::int AS n FROM ${namespace}.verifier_results WHERE ingestion_ms <= $1`;
  const { rows } = await database.sql(query, [ms]);
  return Number(rows[0]?.n);
}

/** One tier as the admin port's status page shows it. */
export async function tierStatus(adminUrl: string, name: string): Promise<BackendStatus> {
  const { tiers } = parseExactJson(await body(`${adminUrl}/status`)) as { tiers: readonly BackendStatus[] };
  const found = tiers.find((tier) => tier.name === name);
  if (!found) throw new Error(`${adminUrl} has no tier ${name}`);
  return found;
}

/** Until the cold tier, as that process knows it, holds everything that is in the database. */
export async function untilColdHoldsAll(adminUrl: string, database: TestDatabase, namespace: string): Promise<void> {
  await eventually('the cold tier to hold everything', async () => {
    const { position } = await warmState(database, namespace);
    const { coverage } = await tierStatus(adminUrl, 'cold');
    return BigInt(coverage.throughPosition) === position || `${coverage.throughPosition} of ${position}`;
  });
}

/** Sums a metric of a process over all of its labels that match. */
export async function metricSum(adminUrl: string, name: string, label = ''): Promise<number> {
  const lines = (await body(`${adminUrl}/metrics`)).split('\n');
  return lines
    .filter((line) => line.startsWith(name) && /^[ {]/.test(line.slice(name.length)) && line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
