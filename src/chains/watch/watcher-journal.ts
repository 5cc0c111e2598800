import type { Common } from '../../core/common.js';
import { IndexerError } from '../../core/errors.js';
import type { WriteBatch, WriteOutcome } from '../../model/batch.js';
import { FinalizedDisputedError, FinalizedReorgError } from '../chain-errors.js';
import { type ChainMetrics, observeCommit } from '../chain-metrics.js';
import type { FinalizedDispute } from '../finalized-dispute.js';
import type { ChainHeads } from '../rpc/rpc-node.js';
import type { ChainState, ChainStatus } from './chain-status.js';
import { type FinalityBasis, finalityProblem } from './finality-view.js';
import type { WatchedChain } from './watched-chain.js';

const WARN_AGAIN_MS = 3_600_000;

/** The status, the metrics and the log of a watcher. */
export class WatcherJournal {
  readonly #chain: string;
  readonly #confirmations: WatchedChain['confirmations'];
  readonly #common: Common;
  readonly #metrics: ChainMetrics;
  readonly #labels: { readonly chain: string };
  readonly #counts = { reorgs: 0, orphaned: 0, quarantined: 0, messages: 0, executions: 0 };
  #state: ChainState = 'starting';
  #heads: { readonly head: number; readonly safe: number | null; readonly finalized: number | null } | null = null;
  #processed: { readonly number: number; readonly timestampMs: number } | null = null;
  #lastError: ChainStatus['lastError'] = null;
  #finality: FinalityBasis | null = null;
  #isReadable = true;
  #warnAtMs = Number.NEGATIVE_INFINITY;
  #dispute: FinalizedDispute | null = null;

  constructor({ name, confirmations }: WatchedChain, common: Common, metrics: ChainMetrics) {
    this.#chain = name;
    this.#confirmations = confirmations;
    this.#common = common;
    this.#metrics = metrics;
    this.#labels = { chain: name };
    for (const gauge of [metrics.halted, metrics.disputed, metrics.finalityUnknown]) gauge.set(this.#labels, 0);
    metrics.pollingErrors.inc({ target: name }, 0);
  }

  /** The part of the status that is kept here. */
  status(): Omit<ChainStatus, 'selector' | 'cursor' | 'crossCheck' | 'rpc'> {
    const head = this.#heads?.head ?? null;
    const processed = this.#processed;
    return {
      chain: this.#chain,
      state: this.#state,
      head,
      safe: this.#heads?.safe ?? null,
      finalized: this.#heads?.finalized ?? null,
      processed: processed?.number ?? null,
      lagBlocks: head === null || !processed ? null : Math.max(0, head - processed.number),
      lagMs: processed ? Math.max(0, this.#common.clock.nowMs() - processed.timestampMs) : null,
      finality: this.#finality,
      problem: this.#problem(),
      isReadable: this.#isReadable,
      dispute: this.#dispute,
      ...this.#counts,
      lastError: this.#lastError,
    };
  }

  enter(state: ChainState): void {
    if (state !== this.#state) this.#common.log.info({ chain: this.#chain, state }, 'chain watcher changed its state');
    this.#state = state;
  }

  heads(heads: ChainHeads, finalized: number): void {
    this.#heads = {
      head: heads.latest.number,
      safe: heads.safe?.number ?? null,
      finalized: finalized < 0 ? null : finalized,
    };
    this.#metrics.headBlock.set(this.#labels, heads.latest.number);
    this.#lag();
  }

  /**
   * The basis of finality. `isAnythingRead`: blocks above the cursor are read. A chain without finality is warned of
   * every hour.
   */
  finality(basis: FinalityBasis, isAnythingRead: boolean): void {
    this.#finality = basis;
    this.#isReadable = basis !== 'unknown' || isAnythingRead;
    this.#metrics.finalityUnknown.set(this.#labels, basis === 'unknown' ? 1 : 0);
    const nowMs = this.#common.clock.monotonicMs();
    const problem = this.#problem();
    if (problem === null || nowMs < this.#warnAtMs) return;
    this.#warnAtMs = nowMs + WARN_AGAIN_MS;
    this.#common.log.warn({ chain: this.#chain, problem }, 'chain without finality');
  }

  /** The messages of all blocks through this one are stored. */
  processed(number: number, timestampMs: number): void {
    this.#processed = { number, timestampMs };
    this.#metrics.processedBlock.set(this.#labels, number);
    this.#lag();
  }

  get hasProcessed(): boolean {
    return this.#processed !== null;
  }

  finalized(number: number): void {
    this.#metrics.finalizedBlock.set(this.#labels, number);
  }

  committed(batch: WriteBatch, outcome: WriteOutcome, following: boolean): void {
    const { messages = [], orphanings = [], executions = [], executionOrphanings = [], quarantine = [] } = batch;
    const orphaned = orphanings.length + executionOrphanings.length;
    observeCommit(this.#metrics, { chain: this.#chain, clock: this.#common.clock }, batch, outcome);
    this.#counts.messages += messages.length;
    this.#counts.executions += executions.length;
    this.#counts.orphaned += orphaned;
    this.#counts.quarantined += quarantine.length;
    this.#metrics.messages.inc(this.#labels, messages.length);
    this.#metrics.orphaned.inc(this.#labels, orphaned);
    for (const { key, reason, detail } of quarantine) {
      this.#metrics.quarantined.inc({ ...this.#labels, reason });
      this.#common.log.warn({ chain: this.#chain, key, reason, detail }, 'log quarantined');
    }
    if (!following) return;
    const nowMs = this.#common.clock.nowMs();
    const target = { target: this.#chain };
    for (const { origin } of messages)
      if (origin) this.#metrics.discoverySeconds.observe(target, Math.max(0, nowMs - origin.blockTimestampMs) / 1000);
  }

  reorg(droppedBlocks: number, orphaned: number): void {
    this.#counts.reorgs++;
    this.#metrics.reorgs.inc(this.#labels);
    this.#common.log.warn({ chain: this.#chain, droppedBlocks, orphaned }, 'chain reorganised');
  }

  succeeded(): void {
    this.#lastError = null;
    if (this.#dispute) this.#common.log.info({ chain: this.#chain }, 'finalized block is no longer disputed: going on');
    this.#disputed(null);
  }

  failed(error: Error): void {
    const code = error instanceof IndexerError ? error.code : 'UNEXPECTED';
    this.#metrics.pollingErrors.inc({ target: this.#chain });
    // the last block grows old while nothing is read
    this.#lag();
    this.#lastError = { code, message: error.message, atMs: this.#common.clock.nowMs() };
    if (error instanceof FinalizedDisputedError) this.#disputed(error.dispute);
    if (error instanceof FinalizedReorgError) {
      this.#disputed(null);
      this.#state = 'halted';
      this.#metrics.halted.set(this.#labels, 1);
      this.#common.log.error({ chain: this.#chain, err: error }, 'chain is stopped: a finalized block changed');
      return;
    }
    const retryable = error instanceof IndexerError && error.retryable;
    this.#common.log[retryable ? 'warn' : 'error'](
      { chain: this.#chain, err: error },
      'chain watcher failed, trying again',
    );
  }

  #disputed(dispute: FinalizedDispute | null): void {
    this.#dispute = dispute;
    this.#metrics.disputed.set(this.#labels, dispute ? 1 : 0);
  }

  #problem(): string | null {
    return this.#finality === 'unknown' ? finalityProblem(this.#confirmations, this.#isReadable) : null;
  }

  #lag(): void {
    if (!this.#heads || !this.#processed) return;
    this.#metrics.lagBlocks.set(this.#labels, Math.max(0, this.#heads.head - this.#processed.number));
    const ageMs = this.#common.clock.nowMs() - this.#processed.timestampMs;
    this.#metrics.lagSeconds.set(this.#labels, Math.max(0, ageMs) / 1000);
  }
}
