import type { GoDatabase } from './go-database.js';
import { COLUMNS, DISCOVERY_STATE, NEWEST_MESSAGE } from './go-rows.js';
import { type LocalClock, offsetText, zonesWith } from './local-clock.js';

/** A reason for which nothing can be imported, and the remedy. */
export interface SourceProblem {
  readonly code: 'version' | 'standby' | 'tables' | 'columns' | 'privileges' | 'zone';
  readonly message: string;
  readonly nextStep: string;
}

/** An aggregator that the Go indexer read, as its table of cursors has it. */
export interface GoDiscovery {
  readonly location: string;
  /** The first sequence that it had not read. */
  readonly sequence: bigint;
}

const LEAST_VERSION = 140_000;
const QUARTER_MS = 15 * 60_000;
/** Zones differ by as much, but for a few. */
const WRONG_MS = 30 * 60_000;
/** No zone is further from UTC. A message that was replayed is days from its results. */
const FURTHEST_MS = 15 * 3_600_000;
const SAMPLE_ROWS = 4_000;
/** A month with fewer messages says nothing. */
const LEAST_SAMPLE = 5;

/** @returns the first problem of each kind; an empty list when the database can be read. */
export async function checkTables(database: GoDatabase): Promise<readonly SourceProblem[]> {
  const [server] = await database.read<{ version: number; standby: boolean }>(
    `SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS standby`,
    [],
    1,
  );
  if (server && server.version < LEAST_VERSION)
    return [
      {
        ...{ code: 'version', message: `the server has version ${Math.floor(server.version / 10_000)}` },
        nextStep: 'let it be 14 or later: earlier ones can look at a part of a table only by an index',
      },
    ];
  if (server?.standby)
    return [
      {
        ...{ code: 'standby', message: 'the server is a standby: its last rows are those that it was sent' },
        nextStep: 'name the primary',
      },
    ];
  const found = await database.read<{ name: string; column: string; type: string; readable: boolean }>(
    `SELECT c.relname AS name, a.attname AS column, format_type(a.atttypid, NULL) AS type,
       has_column_privilege(c.oid, a.attnum, 'SELECT') AS readable
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE n.nspname = 'indexer' AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped`,
    [],
    1,
  );
  const problems: SourceProblem[] = [];
  for (const [table, columns] of Object.entries(COLUMNS)) {
    const known = new Map(found.filter(({ name }) => name === table).map((each) => [each.column, each]));
    if (known.size === 0) {
      const nextStep = 'name the database of the Go indexer; its own migrations make the tables';
      problems.push({ code: 'tables', message: `there is no table indexer.${table}`, nextStep });
      continue;
    }
    for (const [column, type] of Object.entries(columns)) {
      const { type: foundType, readable } = known.get(column) ?? {};
      if (foundType !== type)
        problems.push({
          ...{ code: 'columns', message: `indexer.${table}.${column} is ${foundType ?? 'missing'}: expected ${type}` },
          nextStep: 'bring the Go indexer up to date, so that it migrates its tables',
        });
      else if (!readable)
        problems.push({
          ...{ code: 'privileges', message: `indexer.${table}.${column} may not be read` },
          nextStep: 'GRANT USAGE ON SCHEMA indexer, and SELECT ON ALL TABLES IN SCHEMA indexer, to the user',
        });
    }
  }
  return problems;
}

/** The zone of the messages' times, as the results' times show it. */
export interface ZoneCheck {
  /** Messages with results that were looked at. */
  readonly sampled: number;
  readonly problem: SourceProblem | null;
}

/**
 * Compares times of messages, readings of a wall clock, with those of their first results, which have a zone. Most
 * results come within seconds of their message, some hours later: the shortest waits of a month show its offset, to a
 * quarter of an hour. The last message is not from the future.
 */
export async function checkZone(database: GoDatabase, local: LocalClock, nowMs: number): Promise<ZoneCheck> {
  const rows = await database.read<{ local: string; result: string }>(
    `SELECT floor(extract(epoch FROM m.ingestion_timestamp) * 1000)::bigint::text AS local,
       floor(extract(epoch FROM r.first) * 1000)::bigint::text AS result
     FROM (
       SELECT message_id, ingestion_timestamp FROM indexer.messages TABLESAMPLE SYSTEM ((
         SELECT least(100, 100 * $1::float8 / greatest(reltuples, $1::float8, 1))
         FROM pg_class WHERE oid = 'indexer.messages'::regclass
       )) WHERE isfinite(ingestion_timestamp)
     ) m CROSS JOIN LATERAL (
       SELECT min(v.ingestion_timestamp) AS first FROM indexer.verifier_results v WHERE v.message_id = m.message_id
     ) r WHERE isfinite(r.first)`,
    [SAMPLE_ROWS],
    SAMPLE_ROWS,
  );
  const months = new Map<number, { waitMs: number; resultMs: number }[]>();
  for (const row of rows) {
    const resultMs = Number(row.result);
    const waitMs = resultMs - Number(row.local);
    if (Math.abs(waitMs) > FURTHEST_MS) continue;
    const date = new Date(resultMs);
    const month = date.getUTCFullYear() * 12 + date.getUTCMonth();
    months.set(month, [...(months.get(month) ?? []), { waitMs, resultMs }]);
  }
  const observed = [...months.values()].flatMap((waits) => {
    if (waits.length < LEAST_SAMPLE && months.size > 1) return [];
    waits.sort((a, b) => a.waitMs - b.waitMs);
    const low = waits[Math.floor(waits.length / 50)];
    if (low === undefined) return [];
    const offsetMs = -Math.round(low.waitMs / QUARTER_MS) * QUARTER_MS;
    return [{ atMs: low.resultMs, offsetMs: offsetMs === 0 ? 0 : offsetMs }];
  });
  const wrong = observed.find(({ atMs, offsetMs }) => Math.abs(offsetAt(local, atMs) - offsetMs) >= WRONG_MS);
  if (wrong !== undefined) return { sampled: rows.length, problem: zoneProblem(local, wrong, observed) };
  const [newest] = await database.read<{ local_ms: string | null }>(NEWEST_MESSAGE, [], 1);
  const newestMs = newest?.local_ms == null ? 0 : local.firstInstant(Number(newest.local_ms));
  return {
    sampled: rows.length,
    problem: newestMs <= nowMs + WRONG_MS ? null : futureProblem(local, newestMs - nowMs),
  };
}

function offsetAt(local: LocalClock, atMs: number): number {
  return local.localMs(atMs) - atMs;
}

type Observed = { readonly atMs: number; readonly offsetMs: number };

function zoneProblem(local: LocalClock, wrong: Observed, observed: readonly Observed[]): SourceProblem {
  const day = new Date(wrong.atMs).toISOString().slice(0, 10);
  const offsets = new Set(observed.map(({ offsetMs }) => offsetMs));
  const names = zonesWith(observed).filter((name) => name !== local.zone);
  const fixed = offsets.size === 1 ? `"${offsetText(wrong.offsetMs)}"` : '';
  const named =
    names.length > 0
      ? `a zone such as ${names
          .slice(0, 3)
          .map((name) => `"${name}"`)
          .join(', ')}`
      : '';
  const choice = [fixed, named].filter((each) => each !== '').join(', or ');
  return {
    code: 'zone',
    message:
      `zone ${local.zone} is ${offsetText(offsetAt(local, wrong.atMs))} on ${day}, but messages of that month ` +
      `stand ${offsetText(wrong.offsetMs)} from their results`,
    nextStep: choice === '' ? 'name the zone of the Go indexer’s process' : `likely: ${choice}`,
  };
}

function futureProblem(local: LocalClock, aheadMs: number): SourceProblem {
  return {
    code: 'zone',
    message: `the last message is of ${Math.round(aheadMs / 60_000)} minutes from now, by the clocks of ${local.zone}`,
    nextStep: 'name the zone of the Go indexer’s process, which is further east; or set the clock of this machine',
  };
}

/** The aggregators that the Go indexer read. */
export async function readDiscoveries(database: GoDatabase): Promise<readonly GoDiscovery[]> {
  const rows = await database.read<{ location: string; sequence: string }>(DISCOVERY_STATE, [], 1);
  return rows.map(({ location, sequence }) => ({ location, sequence: BigInt(sequence) }));
}
