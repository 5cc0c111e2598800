import { createHash } from 'node:crypto';
import type { Common } from '../../core/common.js';
import { bytesToHex, type Hex } from '../../core/hex.js';
import { allOf } from '../../core/parallel.js';
import { discoverySourceId } from '../../discovery/source-ids.js';
import type { SourceCursor } from '../../model/records.js';
import type { BackendStorage } from '../../storage/backend-storage.js';
import type { PostgresAddress } from '../../storage/postgres/connection/pool-settings.js';
import type { Throttle } from '../throttle.js';
import { type ComparedRows, type CompareRows, compareRows } from './compare-rows.js';
import { createPlacesInOrder, type PlacesInOrder } from './filling.js';
import { createGoDatabase } from './go-database.js';
import { COUNTS, EXECUTORS, LOOK, type Look, SOURCE, WRITERS, WRITING_ACCOUNTS } from './go-rows.js';
import { ImportTargetError, type SourceSession, SourceStillWrittenError } from './import-errors.js';
import {
  type GoIndexerCheck,
  type GoIndexerProgress,
  type GoIndexerReport,
  LOST,
  matchDiscoveries,
} from './import-report.js';
import { createLocalClock } from './local-clock.js';
import { createRowReader, GO_INDEXER_SOURCE } from './read-rows.js';
import { openRowTaker, type Rows, type RowTaker } from './row-taker.js';
import { createRowVersions, type RowVersions } from './row-versions.js';
import { checkTables, checkZone, readDiscoveries } from './source-check.js';

/** An import out of a Go indexer's database. */
export interface GoIndexerImportOptions {
  /** Its database. The user needs SELECT on the tables of schema `indexer`, and no more. */
  readonly source: PostgresAddress;
  /** The zone of the process that wrote its messages: an IANA name or an offset. */
  readonly zone: string;
  /** Empty, or as an import from the same tables left it. Nothing else may write to it. */
  readonly target: BackendStorage;
  /** The configured aggregators. */
  readonly discoveries: readonly { readonly name: string; readonly address: string; readonly since: bigint }[];
  /** The name of the configured verifier that speaks for a CCV, which their tables lack. Default: the empty name. */
  readonly verifierNameOf?: (ccvAddress: Hex) => string | null;
  readonly throttle: Throttle;
  readonly common: Common;
  /** Most rows of one step, and of one commit but for rows of one millisecond. Default 2 000. */
  readonly batchRows?: number;
  /** Time between two sweeps over all pages while the tables change, ms. Default ten minutes. */
  readonly sweepMs?: number;
}

/** Moves the records of a Go indexer's database to a storage of ours. See `README.md` beside. */
export interface GoIndexerImport {
  /** Looks at the database alone. @throws StorageUnavailableError, StorageFailureError */
  check(): Promise<GoIndexerCheck>;
  /**
   * Does a part of the work, at most a few seconds of it. After an error the next step begins where the target stands.
   * @throws ImportTargetError, AbortedError, and the errors of both databases.
   */
  step(signal?: AbortSignal): Promise<GoIndexerProgress>;
  /**
   * Reads every row once more, while they are written, and compares its record with the target's. Rows that differ are
   * looked at again once everything written meanwhile is taken. With `repair` those that still do are stored.
   * @throws as `step`.
   */
  compare(how: CompareRows): Promise<ComparedRows>;
  /**
   * Once the Go indexer is stopped: takes everything, proves it by a second pass that finds nothing, and takes the
   * cursors over.
   * @throws SourceStillWrittenError when it was not: steps may go on then.
   */
  finish(signal?: AbortSignal): Promise<GoIndexerReport>;
  close(): Promise<void>;
}

/** Names of cursors: the horizon of the first filling, the time up to which it came, the horizon of following. */
const FILLING = `${GO_INDEXER_SOURCE}:filling`;
const FILLED = `${GO_INDEXER_SOURCE}:filled-ms`;
const FOLLOWING = `${GO_INDEXER_SOURCE}:following`;

/** Whether an import has filled the storage, or began to. */
export async function hasImport(target: Pick<BackendStorage, 'getCursor'>): Promise<boolean> {
  return (await target.getCursor(FILLING)) !== null || (await target.getCursor(FOLLOWING)) !== null;
}

interface Filling {
  readonly kind: 'filling';
  readonly horizon: bigint;
  readonly places: PlacesInOrder;
  /** Its cursor is stored. */
  readonly isBegun: boolean;
  /** The rows after those that are stored; absent before the first are read, null when there are no more. */
  readonly ahead?: { readonly throughMs: number; readonly rows: Rows } | null;
}

interface Following {
  readonly kind: 'following';
  readonly versions: RowVersions;
  horizon: bigint;
}

type Phase = Filling | Following;

interface Opened {
  readonly taker: RowTaker;
  readonly identity: Hex;
  readonly rowsInAll: number;
  phase: Phase;
}

/**
 * ```
 *  filling    every row, in the order of times ─► following   new row versions, wherever they lie ─► finish
 * ```
 * @throws InvalidArgumentError when `zone` is none.
 */
export function createGoIndexerImport(options: GoIndexerImportOptions): GoIndexerImport {
  const { target, discoveries, common, verifierNameOf = () => null } = options;
  const { batchRows = 2_000, sweepMs = 600_000 } = options;
  const { clock } = common;
  const local = createLocalClock(options.zone);
  const database = createGoDatabase({ address: options.source, throttle: options.throttle, common });
  const startMs = clock.monotonicMs();
  let opened: Opened | null = null;
  let rowsTaken = 0;

  async function open(): Promise<Opened> {
    const [source] = await database.read<{ rows: string; identity: string }>(SOURCE, [], 1);
    const reader = createRowReader({ local, verifierNameOf, nowMs: () => clock.nowMs() });
    const nowMs = () => clock.nowMs();
    const taker = await openRowTaker({ database, target, reader, local, batchRows, nowMs });
    const identity = bytesToHex(
      createHash('sha256')
        .update(source?.identity ?? '')
        .digest(),
    );
    const cursor = async (sourceId: string) => {
      const found = await target.getCursor(sourceId);
      if (found !== null && found.hash !== identity)
        throw new ImportTargetError(
          'the target was filled from other tables, or from these before they were restored',
          'name an empty database',
        );
      return found?.height ?? null;
    };
    const [filling, filled, following] = [await cursor(FILLING), await cursor(FILLED), await cursor(FOLLOWING)];
    if (taker.position > 0n && filling === null && following === null)
      throw new ImportTargetError('the target is not empty', 'name an empty database');
    const executors = await database.read<{ executor: string }>(EXECUTORS, [], batchRows);
    reader.knowExecutors(executors.map(({ executor }) => executor));
    const phase: Phase =
      following !== null
        ? follow(following)
        : {
            kind: 'filling',
            horizon: filling ?? BigInt((await look()).horizon),
            places: createPlacesInOrder({ database, local }, Number(filled ?? -1n)),
            isBegun: filling !== null,
          };
    return { taker, identity, rowsInAll: Number(source?.rows ?? 0), phase };
  }

  async function look(): Promise<Look> {
    const [row] = await database.read<Look>(LOOK, [], 1);
    if (!row) throw new TypeError('a statement without a FROM gave no row');
    return row;
  }

  function follow(horizon: bigint): Phase {
    return { kind: 'following', horizon, versions: createRowVersions({ database, clock, horizon, sweepMs }) };
  }

  /** Stores the rows that were read in the step before, and reads the next meanwhile. */
  async function fill({ taker, identity }: Opened, phase: Filling, signal?: AbortSignal) {
    const move = (sourceId: string, height: bigint): SourceCursor => ({ sourceId, height, hash: identity });
    const read = async () => {
      const part = await phase.places.next(batchRows);
      return part && { throughMs: part.throughMs, rows: await taker.readPart(part, signal) };
    };
    const current = phase.ahead === undefined ? await read() : phase.ahead;
    if (current === null) {
      await taker.store([], [move(FOLLOWING, phase.horizon)]);
      return { rows: 0, next: follow(phase.horizon) };
    }
    const begin = phase.isBegun ? [] : [move(FILLING, phase.horizon)];
    const moves = [...begin, move(FILLED, BigInt(current.throughMs))];
    const [ahead] = await allOf([read(), taker.store(current.rows, moves)]);
    return { rows: current.rows.length, next: { ...phase, ahead, isBegun: true } };
  }

  /** @returns rows that differed. */
  async function takeNew({ taker, identity }: Opened, phase: Following, whole: boolean, signal?: AbortSignal) {
    const found = await phase.versions.find({ whole }, signal);
    let rows = await taker.takeChanged(found.places, signal);
    if (found.provedBelow !== null) {
      rows += await taker.takeWaiting(signal);
      if (found.provedBelow !== phase.horizon)
        await taker.store([], [{ sourceId: FOLLOWING, height: found.provedBelow, hash: identity }]);
      phase.horizon = found.provedBelow;
    }
    found.taken();
    return rows;
  }

  /** Begins anew where the target stands after any error. */
  async function work<T>(how: (state: Opened) => Promise<T>): Promise<T> {
    try {
      opened ??= await open();
      return await how(opened);
    } catch (thrown) {
      if (!(thrown instanceof SourceStillWrittenError)) opened = null;
      throw thrown;
    }
  }

  async function stepOnce(state: Opened, signal?: AbortSignal): Promise<GoIndexerProgress> {
    const { phase } = state;
    let rows: number;
    if (phase.kind === 'filling') {
      const filled = await fill(state, phase, signal);
      rows = filled.rows;
      state.phase = filled.next;
    } else rows = await takeNew(state, phase, false, signal);
    rowsTaken += rows;
    const nowMs = clock.monotonicMs();
    const provedAtMs = state.phase.kind === 'following' ? state.phase.versions.provedAtMs : null;
    return {
      phase: state.phase.kind,
      rowsTaken,
      rowsInAll: state.rowsInAll,
      rowsPerSecond: (rowsTaken * 1_000) / Math.max(1, nowMs - startMs),
      behindMs: provedAtMs === null ? null : nowMs - provedAtMs,
      isIdle: rows === 0 && phase.kind === 'following' && provedAtMs !== null,
    };
  }

  async function refuseWriters(): Promise<void> {
    const writers = await database.read<SourceSession>(WRITERS, [], 1);
    if (writers.length > 0) throw new SourceStillWrittenError('a transaction is under way', writers);
  }

  async function finish(state: Opened, signal?: AbortSignal): Promise<GoIndexerReport> {
    while (state.phase.kind === 'filling') await stepOnce(state, signal);
    const { phase, taker } = state;
    await refuseWriters();
    const found = await readDiscoveries(database);
    rowsTaken += await takeNew(state, phase, true, signal);
    const late = await takeNew(state, phase, true, signal);
    const foundAgain = await readDiscoveries(database);
    const sessions = await database.read<SourceSession & { sessions: number }>(WRITING_ACCOUNTS, [], 1);
    if (late > 0) throw new SourceStillWrittenError(`${late} rows were written during the last pass`, sessions);
    if (found.some(({ sequence }, index) => foundAgain[index]?.sequence !== sequence))
      throw new SourceStillWrittenError('a discovery cursor moved', sessions);
    await refuseWriters();
    const taken = matchDiscoveries(discoveries, found);
    const moves: SourceCursor[] = [];
    for (const { name, height } of taken.taken) {
      const sourceId = discoverySourceId(name);
      if ((await target.getCursor(sourceId))?.height !== height) moves.push({ sourceId, height, hash: null });
    }
    await taker.store([], moves);
    const [theirs] = await database.read<{ messages: string; verifier_results: string }>(COUNTS, [], 1);
    const [messages, verifierResults] = [await target.countMessages({}), await target.countCCVData({})];
    return {
      theirs: { messages: Number(theirs?.messages), verifierResults: Number(theirs?.verifier_results) },
      ours: { messages: messages.count, verifierResults: verifierResults.count },
      quarantined: taker.quarantined.counts(),
      doubts: taker.doubts,
      discoveries: taken,
      sessions,
      lost: LOST,
    };
  }

  return {
    async check() {
      const problems = await checkTables(database);
      if (problems.length > 0) return { problems, zoneSampled: 0, rows: 0, discoveries: { taken: [], unknown: [] } };
      const zone = await checkZone(database, local, clock.nowMs());
      const [source] = await database.read<{ rows: string }>(SOURCE, [], 1);
      return {
        problems: zone.problem === null ? [] : [zone.problem],
        zoneSampled: zone.sampled,
        rows: Number(source?.rows ?? 0),
        discoveries: matchDiscoveries(discoveries, await readDiscoveries(database)),
      };
    },
    step: (signal) => work((state) => stepOnce(state, signal)),
    compare: (how) =>
      work((state) =>
        compareRows({
          ...{ ...how, taker: state.taker, rowsInAll: state.rowsInAll, batchRows },
          places: createPlacesInOrder({ database, local }, -1),
          ...{ clock, step: () => stepOnce(state, how.signal) },
        }),
      ),
    finish: (signal) => work((state) => finish(state, signal)),
    close: () => database.close(),
  };
}
