import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { AbortedError, ClosedError, IndexerError, toError } from '../../core/errors.js';
import { gauge } from '../../core/metrics.js';
import { createRareWarning } from '../../core/rare-warning.js';
import { nameProcess } from '../../indexer/workers/process-name.js';
import { runBackfill } from '../../migration/backfill.js';
import type { MoveEnds } from '../../migration/move-ends.js';
import { followingSide, isUnderWay, leadingSide, type MoveState, PHASES } from '../../migration/move-state.js';
import { createMoveWatch, type MoveWatch } from '../../migration/move-watch.js';
import { createShadowReads, type ShadowReads } from '../../migration/shadow/shadow-reads.js';
import { createThrottle } from '../../migration/throttle.js';
import { createReplaceableSink, type ReplaceableSink } from '../../sink/replaceable-sink.js';
import type { Sink } from '../../sink/sink.js';
import type { BackfillPosition } from '../../storage/move-store.js';
import type { StorageUse } from '../backend-sections.js';
import { type OpenedSink, openSink } from '../open-sink.js';
import type { ColdBackend } from '../process-cold.js';
import { openEnds } from './ends.js';
import { configIn, limitsOf } from './roles.js';

/** Between two attempts to reach either database at the start. */
const RETRY_MS = 1_000;

/** Dependencies of a Sink that follows a move. */
export interface MovingSinkOptions {
  readonly config: Config;
  readonly common: Common;
  readonly use: StorageUse;
  readonly cold: readonly ColdBackend[];
  /** Ends the wait for the databases at the start. */
  readonly signal?: AbortSignal;
}

/**
 * A Sink that works by the present phase of the move, and by the next one seconds after it begins. A process that
 * writes takes part in the backfill and in handing over the lead.
 * @throws AbortedError when `signal` aborts before either database answered.
 */
export async function openMovingSink(options: MovingSinkOptions): Promise<OpenedSink> {
  const { config, common, use, cold, signal } = options;
  const ends = openEnds(config, common);
  const metrics = createMetrics(common);
  let opened: OpenedSink | null = null;
  let sink: ReplaceableSink | null = null;
  let backfill: Backfill | null = null;

  let shadow: ShadowReads<Sink> | null = null;

  const open = (state: MoveState | null): Sink => {
    opened = openSink(configIn(config, state), common, use, cold, true);
    if (state === null || followingSide(state) !== 'to') return opened.sink;
    shadow = createShadowReads({
      ...{ live: opened.sink, shadow: ends.to.storage, common },
      share: () => shareOf(watch.state()),
    });
    return shadow.storage;
  };
  const roles = (state: MoveState | null) =>
    state && `${leadingSide(state)} ${followingSide(state)} ${isUnderWay(state)}`;
  const watch: MoveWatch = createMoveWatch({
    ...{ ends, common, writes: use === 'write' },
    process: { name: nameProcess(common.random).member, role: use === 'write' ? 'worker' : 'api' },
    figures: () => (shadow && shareOf(watch.state()) > 0 ? JSON.stringify(shadow.figures(), plain) : null),
    async follow(state) {
      if (sink === null) sink = createReplaceableSink({ common, first: open(state), standing: () => watch.standing() });
      else if (roles(state) !== roles(watch.state())) {
        await shadow?.close();
        shadow = null;
        await sink.replace(async () => open(state));
      }
      // not waited for: it may be waiting for this look
      backfill?.abort();
      backfill = state?.phase === 'backfilling' && use === 'write' ? startBackfill(config, common, sink, ends) : null;
      for (const phase of PHASES) metrics.phase.set({ phase }, Number(state?.phase === phase));
    },
  });
  try {
    await firstLook(watch, common, signal);
  } catch (thrown) {
    await Promise.all([ends.from.storage.close(), ends.to.storage.close()]);
    throw thrown;
  }
  if (sink === null) throw new AbortedError('open storage');
  watch.start();
  const moving: ReplaceableSink = sink;
  const present = () => opened?.leading ?? null;
  return {
    sink: moving,
    leading: presentLeading(present),
    move: () => watch.state(),
    async close() {
      await watch.close();
      await backfill?.stop();
      await shadow?.close();
      await moving.close();
      // lent, so that the Sinks of all phases share them
      for (const { storage } of cold) await storage.close();
      await Promise.all([ends.from.storage.close(), ends.to.storage.close()]);
    },
  };
}

/** The share of live questions that are asked of the new database too: in one phase, and as the operator wishes. */
function shareOf(state: MoveState | null): number {
  return state?.phase === 'comparing' ? state.shadow : 0;
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** Until one of the databases has said which of them leads, nothing can be answered or written. */
async function firstLook(watch: MoveWatch, { clock, log }: Common, signal?: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await watch.look();
      if (watch.hasFollowed()) return;
    } catch (thrown) {
      if (thrown instanceof IndexerError && !thrown.retryable) throw thrown;
      log.warn({ err: toError(thrown), againInMs: RETRY_MS }, 'neither database says which of them leads: waiting');
    }
    await clock.sleep(RETRY_MS, signal);
  }
}

/** The shares and replays of the database that leads at the moment of each call. */
function presentLeading(present: () => OpenedSink['leading']): NonNullable<OpenedSink['leading']> {
  const leading = () => {
    const now = present();
    if (now === null) throw new ClosedError('storage');
    return now;
  };
  return {
    leases: {
      beat: async (...of) => await leading().leases.beat(...of),
      take: async (...of) => await leading().leases.take(...of),
      leave: async (...of) => await leading().leases.leave(...of),
      shares: async () => await leading().leases.shares(),
    },
    laneRecords: {
      asks: async () => await leading().laneRecords.asks(),
      board: async () => await leading().laneRecords.board(),
      keepBoard: async (...of) => await leading().laneRecords.keepBoard(...of),
      noteAsk: async (...of) => await leading().laneRecords.noteAsk(...of),
    },
    replays: {
      begin: async (...of) => await leading().replays.begin(...of),
      take: async (...of) => await leading().replays.take(...of),
      beat: async (...of) => await leading().replays.beat(...of),
      end: async (...of) => await leading().replays.end(...of),
      get: async (...of) => await leading().replays.get(...of),
      list: async (...of) => await leading().replays.list(...of),
    },
  };
}

/** A backfill under way in this process. */
interface Backfill {
  abort(): void;
  stop(): Promise<void>;
}

function startBackfill(config: Config, common: Common, source: Sink, { from, to }: MoveEnds): Backfill {
  const throttle = createThrottle({
    ...{ limits: limitsOf(config), clock: common.clock },
    lag: () => from.moves.standbyLagMs(),
  });
  const stopping = new AbortController();
  const { signal } = stopping;
  const warn = createRareWarning(common);
  const run = async () => {
    while (!signal.aborted)
      try {
        await runBackfill({ source, target: to.moves, throttle, common, signal, onProgress });
        return;
      } catch (thrown) {
        if (signal.aborted) return;
        warn({ err: toError(thrown) }, 'the backfill was interrupted, going on');
        await common.clock.sleep(RETRY_MS, signal).catch(() => 'stopping');
      }
  };
  const { remaining } = createMetrics(common);
  const onProgress = ({ position, throughPosition }: BackfillPosition) =>
    remaining.set(Number(throughPosition - position));
  const running = run().finally(() => remaining.set(0));
  return {
    abort: () => stopping.abort(),
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function createMetrics({ metrics }: Common) {
  return {
    phase: gauge(metrics, {
      name: 'indexer_migration_phase_bool',
      help: '1 for the phase of the move by which the process works',
      labelNames: ['phase'],
    }),
    remaining: gauge(metrics, {
      name: 'indexer_migration_backfill_remaining_positions',
      help: 'Positions that the backfill of this process has still to read',
    }),
  };
}
