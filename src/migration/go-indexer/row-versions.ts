import type { Clock } from '../../core/clock.js';
import type { GoDatabase } from './go-database.js';
import { LOOK, type Look, RECORD_TABLES, type RecordTable, versionsIn } from './go-rows.js';

/** Pages of one part of a sweep: 16 MiB. */
const PART_PAGES = 2_048;
const LAST_PAGE = '(4294967295,0)';
/** Transactions whose ages can be compared. */
const AGES = 2n ** 31n;
/** More transactions than begin during a look. */
const SOON = 2n ** 28n;

/** Row versions that are not known to be taken, by table: their places. */
export interface NewVersions {
  readonly places: Readonly<Record<RecordTable, readonly string[]>>;
  /** To be called once all of them are taken. */
  taken(): void;
  /** Once they are taken: every version of a transaction below this is. Null: nothing new is proved. */
  readonly provedBelow: bigint | null;
}

/**
 * Finds the row versions that a database wrote since, without an index by time and without looking at all of it each
 * time.
 *
 * - A *look* reads the pages at the end of each table, where new rows go while there is no room elsewhere.
 * - A *sweep* reads all pages, some with each look, for versions of transactions at or above the *horizon*: the lowest
 *   that was under way when the sweep before it began. Versions of lower ones were visible then, at places that do not
 *   change, so that sweep took them, or they are no longer. With its end, a sweep's own horizon is proved.
 * - While no transaction of the server has written since the last sweep began, none begins.
 */
export interface RowVersions {
  /** New versions; `whole`: those of a sweep from its beginning to its end. */
  find(how: { readonly whole: boolean }, signal?: AbortSignal): Promise<NewVersions>;
  /** When the last ended sweep began, on the monotonic clock; null: none has ended. */
  readonly provedAtMs: number | null;
}

export function createRowVersions(options: {
  readonly database: GoDatabase;
  readonly clock: Clock;
  /** Every version of a transaction below this is taken. */
  readonly horizon: bigint;
  /** Time between the beginnings of two sweeps, ms. */
  readonly sweepMs: number;
}): RowVersions {
  const { database, clock, sweepMs } = options;
  let { horizon } = options;
  /** Versions at or above the horizon that are taken. */
  const known = new Map<string, bigint>();
  const ends: Record<RecordTable, number> | null = { messages: -1, verifier_results: -1 };
  let sweep: Sweep | null = null;
  let proved: Sweep | null = null;

  async function look(): Promise<Look> {
    const [row] = await database.read<Look>(LOOK, [], 1);
    if (!row) throw new TypeError('a statement without a FROM gave no row');
    return row;
  }

  async function read(table: RecordTable, from: string, to: string, { next }: Look, signal?: AbortSignal) {
    const isAll = BigInt(next) - horizon >= AGES;
    const since = String(BigInt.asUintN(32, horizon));
    const values = [from, to, since, isAll];
    return await database.read<{ ctid: string; xmin: string }>(versionsIn(table), values, 0, signal);
  }

  function isDue({ next }: Look): boolean {
    if (proved === null) return true;
    const isQuiet = BigInt(next) === proved.horizon;
    return !isQuiet && clock.monotonicMs() - proved.begunMs >= sweepMs;
  }

  /** Parts are spread over the time of a sweep, unless nothing is proved yet. */
  function isPartDue({ begunMs, parts, partsInAll }: Sweep): boolean {
    return proved === null || clock.monotonicMs() >= begunMs + (parts * sweepMs) / (2 * partsInAll);
  }

  return {
    get provedAtMs() {
      return proved?.begunMs ?? null;
    },
    async find({ whole }, signal) {
      const seen = await look();
      const found: Record<RecordTable, Map<string, string>> = { messages: new Map(), verifier_results: new Map() };
      const collect = async (table: RecordTable, from: string, to: string) => {
        for (const { ctid, xmin } of await read(table, from, to, seen, signal))
          if (!known.has(keyOf(table, ctid, xmin))) found[table].set(ctid, xmin);
      };
      if (!whole)
        for (const table of RECORD_TABLES) {
          const end = Number(seen[table]);
          if (ends[table] >= 0) await collect(table, `(${Math.min(ends[table], end)},0)`, LAST_PAGE);
          // the last page may have room
          ends[table] = Math.max(0, end - 2);
        }
      if (whole || (sweep === null && isDue(seen))) sweep = beginSweep(seen, clock.monotonicMs());
      let ended: Sweep | null = null;
      while (sweep !== null && (whole || isPartDue(sweep))) {
        const { table, page } = sweep;
        await collect(table, `(${page},0)`, `(${page + PART_PAGES},0)`);
        sweep.parts += 1;
        sweep.page += PART_PAGES;
        if (sweep.page >= sweep.pages[table]) {
          const after = RECORD_TABLES[RECORD_TABLES.indexOf(table) + 1];
          if (after === undefined) ended = sweep;
          else Object.assign(sweep, { table: after, page: 0 });
        }
        if (ended !== null) sweep = null;
        if (!whole) break;
      }
      return {
        places: { messages: [...found.messages.keys()], verifier_results: [...found.verifier_results.keys()] },
        provedBelow: ended?.horizon ?? null,
        taken() {
          for (const table of RECORD_TABLES)
            for (const [ctid, xmin] of found[table])
              known.set(keyOf(table, ctid, xmin), fullId(xmin, BigInt(seen.next)));
          if (ended === null) return;
          horizon = ended.horizon;
          proved = ended;
          for (const [key, id] of known) if (id < horizon) known.delete(key);
        },
      };
    },
  };
}

interface Sweep {
  readonly horizon: bigint;
  readonly begunMs: number;
  readonly pages: Readonly<Record<RecordTable, number>>;
  readonly partsInAll: number;
  parts: number;
  table: RecordTable;
  page: number;
}

function beginSweep({ horizon, messages, verifier_results }: Look, begunMs: number): Sweep {
  const pages = { messages: Number(messages), verifier_results: Number(verifier_results) };
  const partsInAll = RECORD_TABLES.reduce((sum, table) => sum + Math.ceil(pages[table] / PART_PAGES), 0);
  const [table] = RECORD_TABLES;
  return { horizon: BigInt(horizon), begunMs, pages, partsInAll, parts: 0, table, page: 0 };
}

function keyOf(table: RecordTable, ctid: string, xmin: string): string {
  return `${table}${ctid}${xmin}`;
}

/** The number in 64 bits of a transaction, from its low 32, when `next` was about to be given not long before. */
function fullId(xmin: string, next: bigint): bigint {
  const later = next + SOON;
  return later - BigInt.asUintN(32, later - BigInt(xmin));
}
