import { backoffMs } from '../core/backoff.js';
import type { Common } from '../core/common.js';
import { AbortedError, IndexerError, toError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { Storage } from '../storage/storage.js';
import type { VerifierRegistry } from '../verifiers/registry.js';
import type { VerifierReaderStatus } from '../verifiers/verifier-reader.js';
import { type AttemptDependencies, type AttemptOutcome, attemptTask } from './attempt.js';
import { ChangeFollower } from './change-follower.js';
import { createSchedulerMetrics } from './scheduler-metrics.js';
import { quarantineStrays } from './stray-quarantine.js';
import { type FullPass, type Offer, Sweeper } from './sweeper.js';
import { TaskBoard, type TaskCounts } from './task-board.js';
import { TaskIntake } from './task-intake.js';
import { type UnknownCCVReport, UnknownCCVs } from './unknown-ccvs.js';
import type { PendingMessage, VerificationTask } from './verification-task.js';
import type { TaskShare } from './workers/membership.js';
import { createSoleMember } from './workers/sole-member.js';
import { createWriteQueue } from './write-queue.js';

/** How verifications are collected. In brackets the names of the configuration. */
export interface SchedulerSettings {
  /** How often due tasks are looked for. [Scheduler.TickerInterval] */
  readonly tickerIntervalMs: number;
  /** Delay after the first attempt; it doubles with every further one. [Scheduler.BaseDelay] */
  readonly baseDelayMs: number;
  /** [Scheduler.MaxDelay] */
  readonly maxDelayMs: number;
  /**
   * A message that is not verified this long after its ingestion times out. [Scheduler.VerificationVisibilityWindow]
   */
  readonly visibilityWindowMs: number;
  /** Most tasks held in memory; the rest waits in storage. [Scheduler.MaxHeapSize] */
  readonly maxHeapSize: number;
  /** Attempts under way at once. [Pool.ConcurrentWorkers] */
  readonly concurrentWorkers: number;
  /** For all readers of one attempt together. [Pool.WorkerTimeout] */
  readonly workerTimeoutMs: number;
  /** Unfinished messages read from storage at a time. [Pool.HydrationBatchSize] */
  readonly hydrationBatchSize: number;
  /** How often timed-out messages are asked for. Default: ten times `maxDelayMs`, at least ten minutes. */
  readonly timedOutRetryMs?: number;
}

/** The parts of a scheduler. */
export interface SchedulerOptions extends SchedulerSettings {
  /** Where messages come from and results go: complete from the beginning. */
  readonly storage: Storage;
  readonly registry: VerifierRegistry;
  /** The messages that are asked for here. Default: all. */
  readonly share?: TaskShare;
  readonly common: Common;
}

/** For the status page. */
export interface SchedulerStatus {
  readonly tasks: TaskCounts;
  /** More messages are unfinished than can be held: some wait in storage for their turn. */
  readonly overflowed: boolean;
  /** The last look at all unfinished messages; null before the first. */
  readonly lastFullPass: FullPass | null;
  /** Every change of the storage up to here has been seen; null before the start. */
  readonly position: bigint | null;
  readonly unknownCCVs: UnknownCCVReport;
  readonly verifiers: readonly ({
    readonly name: string;
    readonly issuerAddresses: readonly Hex[];
  } & VerifierReaderStatus)[];
}

/** Collects the verifications of every message. */
export interface Scheduler {
  /** Works until `signal` aborts; everything it began has ended when it resolves. Once only. */
  run(signal: AbortSignal): Promise<void>;
  status(): SchedulerStatus;
}

const MIN_TIMED_OUT_RETRY_MS = 10 * 60 * 1_000;

/**
 * A task per unfinished message: asks the readers of its missing CCVs, backs off from `baseDelayMs` to `maxDelayMs`,
 * ends as `success` when every CCV that has a reader has answered. A message that is not verified within the
 * visibility window becomes `timeout`; from then on it is asked for once every `timedOutRetryMs`, for as long as it
 * takes. A message none of whose CCVs has a reader times out and stays so until there is one (readers are configured
 * at the start). Of several workers each asks for the messages of its share; when the members change, it lets go of
 * those that are another's, and looks at all unfinished messages for those that have become its own.
 *
 * Messages come from the storage, not from the watchers: those of any process are found, and after a restart the
 * unfinished ones are found again. Nothing of a task is lost with the process, because nothing of it is kept but in
 * storage.
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new VerificationScheduler(options);
}

class VerificationScheduler implements Scheduler {
  readonly #options: SchedulerOptions;
  readonly #board: TaskBoard;
  readonly #follower: ChangeFollower;
  readonly #sweeper: Sweeper;
  readonly #unknown: UnknownCCVs;
  readonly #intake: TaskIntake;
  readonly #metrics;
  readonly #writes;
  readonly #attempts = new Set<Promise<void>>();
  readonly #attemptDependencies: AttemptDependencies;
  #lastFullPass: FullPass | null = null;
  #stopped = false;

  constructor(options: SchedulerOptions) {
    const { storage, registry, common, share = createSoleMember() } = options;
    this.#options = options;
    this.#metrics = createSchedulerMetrics(common.metrics);
    this.#unknown = new UnknownCCVs({ registry, common });
    this.#board = new TaskBoard({
      maxTasks: options.maxHeapSize,
      tickMs: options.tickerIntervalMs,
      horizonMs: options.maxDelayMs,
      nowMs: common.clock.monotonicMs(),
    });
    this.#intake = new TaskIntake({
      board: this.#board,
      unknown: this.#unknown,
      registry,
      share,
      baseDelayMs: options.baseDelayMs,
      clock: common.clock,
    });
    this.#writes = createWriteQueue({ storage, common });
    this.#attemptDependencies = {
      storage,
      registry,
      writes: this.#writes,
      timeoutMs: options.workerTimeoutMs,
      clock: common.clock,
      tracing: common.tracing,
    };
    this.#follower = new ChangeFollower({
      storage,
      onChanges: (changes, live) => {
        this.#intake.follow(changes, live);
        this.#dispatch();
      },
      onGap: () => this.#sweeper.requestFullPass(),
      common,
    });
    this.#sweeper = new Sweeper({
      storage,
      pageSize: options.hydrationBatchSize,
      overflowPeriodMs: options.maxDelayMs,
      fullPeriodMs: options.timedOutRetryMs ?? Math.max(MIN_TIMED_OUT_RETRY_MS, 10 * options.maxDelayMs),
      fullBoardWaitMs: options.tickerIntervalMs,
      offer: (message) => this.#offer(message),
      overflowed: () => this.#board.overflowed,
      passBegins: () => this.#board.resetOverflow(),
      fullPassEnded: (found) => this.#onFullPass(found),
      common,
    });
    share.onChange(() => {
      this.#board.keep((messageId) => share.isMine(messageId));
      this.#unknown.keep((messageId) => share.isMine(messageId));
      this.#sweeper.requestFullPass();
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { registry, common } = this.#options;
    const stop = new AbortController();
    const stopNow = () => stop.abort();
    signal.addEventListener('abort', stopNow, { once: true });
    if (signal.aborted) stopNow();
    const endStrays = quarantineStrays({ registry, writes: this.#writes, metrics: this.#metrics, common });
    try {
      await this.#follower.start(stop.signal);
      const loops = [this.#follower.run(stop.signal), this.#sweeper.run(stop.signal), this.#tick(stop.signal)];
      // a loop that breaks takes the others along, so that the caller can start anew
      for (const loop of loops) loop.catch(stopNow);
      for (const loop of await Promise.allSettled(loops)) if (loop.status === 'rejected') throw loop.reason;
    } catch (thrown) {
      if (!(thrown instanceof AbortedError && signal.aborted)) throw thrown;
    } finally {
      signal.removeEventListener('abort', stopNow);
      this.#follower.stop();
      endStrays();
      this.#stopped = true;
      this.#intake.close();
      this.#board.clear();
      await this.#writes.close();
      await Promise.all(this.#attempts);
    }
  }

  status(): SchedulerStatus {
    return {
      tasks: this.#board.counts(),
      overflowed: this.#board.overflowed,
      lastFullPass: this.#lastFullPass,
      position: this.#follower.position,
      unknownCCVs: this.#unknown.report(),
      verifiers: this.#options.registry.readers.map((reader) => ({
        name: reader.name,
        issuerAddresses: reader.issuerAddresses,
        ...reader.status(),
      })),
    };
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.common;
    while (!signal.aborted) {
      await clock.sleep(this.#options.tickerIntervalMs, signal);
      this.#board.advance(clock.monotonicMs());
      this.#dispatch();
      const { ready, running, waiting } = this.#board.counts();
      this.#metrics.tasks.set({ state: 'ready' }, ready);
      this.#metrics.channelSize.set(ready);
      this.#metrics.activeReaders.set(this.#askedReaders());
      this.#metrics.tasks.set({ state: 'running' }, running);
      this.#metrics.tasks.set({ state: 'waiting' }, waiting);
      this.#metrics.overflowed.set(this.#board.overflowed ? 1 : 0);
    }
  }

  #askedReaders(): number {
    const { readers } = this.#options.registry;
    return readers.filter((reader) => reader.status().circuit !== 'open').length;
  }

  #onFullPass(found: FullPass): void {
    this.#lastFullPass = found;
    this.#metrics.unfinished.set({ window: 'open' }, found.inTime);
    this.#metrics.unfinished.set({ window: 'ended' }, found.timedOut);
  }

  #offer(message: PendingMessage): Offer {
    if (this.#intake.take(message, true)) {
      this.#dispatch();
      return 'taken';
    }
    return this.#board.busy ? 'full' : 'refused';
  }

  #dispatch(): void {
    while (!this.#stopped && this.#attempts.size < this.#options.concurrentWorkers) {
      const task = this.#board.take();
      if (task === null) return;
      const attempt: Promise<void> = this.#attempt(task).finally(() => {
        this.#attempts.delete(attempt);
        this.#dispatch();
      });
      this.#attempts.add(attempt);
    }
  }

  async #attempt(task: VerificationTask): Promise<void> {
    const outcome = await this.#tryOnce(task);
    this.#metrics.attempts.inc({ outcome });
    if (outcome === 'success') {
      const seconds = (this.#options.common.clock.nowMs() - task.ingestionMs) / 1_000;
      this.#metrics.successSeconds.observe(Math.max(0, seconds));
      this.#board.finish(task);
    } else if (task.ended || this.#stopped || task.timedOut) this.#board.finish(task);
    else this.#board.wait(task, this.#nextDueMs(task));
  }

  /** An attempt, and the timeout that may follow from it. Never throws: a failure is tried again later. */
  async #tryOnce(task: VerificationTask): Promise<AttemptOutcome | 'failed'> {
    const { common, visibilityWindowMs } = this.#options;
    try {
      const outcome = await attemptTask(task, this.#attemptDependencies);
      if (outcome === 'success' || task.ended || task.timedOut) return outcome;
      if (common.clock.nowMs() < task.ingestionMs + visibilityWindowMs) return outcome;
      await this.#writes.write({ statuses: [{ messageId: task.messageId, status: 'timeout' }] });
      task.timedOut = true;
      this.#metrics.timeouts.inc();
      return outcome;
    } catch (thrown) {
      if (this.#stopped) return 'ended';
      // a storage that cannot be read now is no news; anything else should be looked at
      const level = thrown instanceof IndexerError && thrown.retryable ? 'warn' : 'error';
      common.log[level]({ err: toError(thrown), messageId: task.messageId }, 'attempt failed: trying again later');
      return 'failed';
    }
  }

  #nextDueMs(task: VerificationTask): number {
    const { common, baseDelayMs, maxDelayMs, visibilityWindowMs } = this.#options;
    const { clock, random } = common;
    const leftMs = task.ingestionMs + visibilityWindowMs - clock.nowMs();
    const delayMs = backoffMs({ baseMs: baseDelayMs, maxMs: maxDelayMs }, task.attempts++, random);
    if (!task.verifiable) return clock.monotonicMs() + Math.max(0, leftMs);
    // the last attempt in time is the one at the end of the window
    return clock.monotonicMs() + (leftMs > 0 ? Math.min(delayMs, leftMs) : delayMs);
  }
}
