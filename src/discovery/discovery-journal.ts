import type { Common } from '../core/common.js';
import type { IndexerError } from '../core/errors.js';
import { counter, gauge } from '../core/metrics.js';
import type { WriteOutcome } from '../model/batch.js';
import { createSourceMetrics } from '../model/source-metrics.js';
import type { DiscoveredRecords } from './read-entries.js';

/**
 * `standby`: another of its group is read · `reading` · `failing`: its last calls failed · `held`: the signatures of
 * its next entry cannot be judged now · `stopped`: not begun, or ended.
 */
export type DiscoveryState = 'standby' | 'reading' | 'failing' | 'held' | 'stopped';

/** For the status page. */
export interface DiscoveryStatus {
  readonly name: string;
  readonly state: DiscoveryState;
  /** The highest sequence that was read; null: none yet. */
  readonly sequence: bigint | null;
  /** Missing sequences that are read again, consecutive ones counted as one. */
  readonly gaps: number;
  /** Time of the last readable answer, unix ms; null: never. */
  readonly lastAnswerMs: number | null;
  readonly lastError: { readonly code: string; readonly message: string; readonly atMs: number } | null;
  readonly failuresInARow: number;
  /** The last time that the aggregator no longer had the entry that was read last, unix ms; null: never. */
  readonly lastSetBackMs: number | null;
  /** Since the start of this process. */
  readonly counts: {
    readonly messages: number;
    readonly verifierResults: number;
    readonly quarantined: number;
    /** Entries that appeared in a gap after it had been passed. */
    readonly late: number;
    readonly conflicts: number;
    readonly setBacks: number;
  };
}

/** Failures in a row from which an aggregator counts as failing. */
const FAILURES_TO_FAIL = 3;

/** Keeps what happens to one aggregator: state, metrics and log. */
export class DiscoveryJournal {
  readonly #name: string;
  readonly #common: Common;
  readonly #metrics;
  readonly #counts = { messages: 0, verifierResults: 0, quarantined: 0, late: 0, conflicts: 0, setBacks: 0 };
  #onFailing: () => void = () => undefined;
  #state: DiscoveryState = 'stopped';
  #sequence: bigint | null = null;
  #gaps = 0;
  #lastAnswerMs: number | null = null;
  #lastError: DiscoveryStatus['lastError'] = null;
  #lastSetBackMs: number | null = null;
  #failures = 0;
  /** Polls in a row that ended at an entry which could not be judged. */
  #holds = 0;

  constructor(name: string, common: Common) {
    this.#name = name;
    this.#common = common;
    this.#metrics = createMetrics(common);
    const target = { target: name };
    this.#metrics.pollingErrors.inc(target, 0);
    this.#metrics.setBacks.inc(target, 0);
    this.#metrics.late.inc(target, 0);
    this.#metrics.failing.set(target, 0);
    this.#metrics.held.set(target, 0);
  }

  get isFailing(): boolean {
    return this.#failures >= FAILURES_TO_FAIL;
  }

  /** Polls in a row that could not go on. */
  get failures(): number {
    return Math.max(this.#failures, this.#holds);
  }

  /** Tells `listener` whenever `isFailing` has changed. One listener. */
  onFailing(listener: () => void): void {
    this.#onFailing = listener;
  }

  status(): DiscoveryStatus {
    return {
      ...{ name: this.#name, state: this.#state, sequence: this.#sequence, gaps: this.#gaps },
      ...{ lastAnswerMs: this.#lastAnswerMs, lastError: this.#lastError, failuresInARow: this.#failures },
      ...{ lastSetBackMs: this.#lastSetBackMs, counts: { ...this.#counts } },
    };
  }

  enter(state: DiscoveryState): void {
    if (state !== this.#state) this.#common.log.info({ discovery: this.#name, state }, 'discovery changed its state');
    this.#state = state;
    this.#metrics.held.set({ target: this.#name }, state === 'held' ? 1 : 0);
    if (state === 'standby' || state === 'stopped') this.#settle(0);
  }

  answered(): void {
    this.#lastAnswerMs = this.#common.clock.nowMs();
    this.#settle(0);
    if (this.#state === 'held') return;
    this.#lastError = null;
    this.enter('reading');
  }

  /** The cursor does not pass an entry that cannot be judged. */
  held({ error, sequence }: NonNullable<DiscoveredRecords['unjudged']>): void {
    const { log, clock } = this.#common;
    this.#holds += 1;
    this.#lastError = { code: error.code, message: error.message, atMs: clock.nowMs() };
    if (this.#state === 'held') return;
    const facts = { discovery: this.#name, sequence: String(sequence), err: error };
    log.warn(facts, 'discovery waits: the signatures of an entry cannot be judged now');
    this.enter('held');
  }

  /** No entry holds the cursor. */
  wentOn(): void {
    this.#holds = 0;
    if (this.#state !== 'held') return;
    this.#lastError = null;
    this.enter('reading');
  }

  failed(error: IndexerError): void {
    const { log, clock } = this.#common;
    this.#metrics.pollingErrors.inc({ target: this.#name });
    this.#lastError = { code: error.code, message: error.message, atMs: clock.nowMs() };
    this.#settle(this.#failures + 1);
    const facts = { discovery: this.#name, err: error, failuresInARow: this.#failures };
    log[error.retryable ? 'warn' : 'error'](facts, 'discovery failed: trying again');
    if (this.isFailing) this.enter('failing');
  }

  /** A cursor and the gaps below it. */
  at(sequence: bigint | null, gaps: number): void {
    this.#sequence = sequence;
    this.#gaps = gaps;
    if (sequence !== null) this.#metrics.sequence.set({ target: this.#name }, Number(sequence));
    this.#metrics.gaps.set({ target: this.#name }, gaps);
  }

  /** `late`: the entries are those of gaps. `following`: the aggregator has no more, so the entries are news. */
  committed(records: DiscoveredRecords, outcome: WriteOutcome, late: boolean, following: boolean): void {
    const { log, clock } = this.#common;
    const target = this.#name;
    const messages = outcome.messages.filter((each) => each === 'inserted').length;
    const verifierResults = outcome.verifierResults.filter((each) => each === 'inserted').length;
    this.#counts.messages += messages;
    this.#counts.verifierResults += verifierResults;
    this.#counts.quarantined += records.quarantine.length;
    this.#counts.conflicts += outcome.conflicts.length;
    if (late) {
      // an entry is a message, a result or both; a known one is no news
      const entries = Math.max(messages, verifierResults);
      this.#counts.late += entries;
      this.#metrics.late.inc({ target }, entries);
    }
    for (const { key, reason, detail, messageId } of records.quarantine) {
      this.#metrics.quarantined.inc({ target, reason });
      log.warn({ discovery: target, key, reason, detail, messageId }, 'entry of an aggregator quarantined');
    }
    for (const conflict of outcome.conflicts)
      log.error({ discovery: target, ...conflict }, 'aggregator disagrees with a stored record: the stored one stays');
    if (!following) return;
    const nowMs = clock.nowMs();
    records.attestedMs.forEach((attestedMs, index) => {
      if (outcome.messages[index] !== 'inserted' || !Number.isSafeInteger(attestedMs)) return;
      this.#metrics.discoverySeconds.observe({ target }, Math.max(0, nowMs - attestedMs) / 1000);
    });
  }

  /** The aggregator restarted with lower sequences, or lost entries. */
  setBack(sequence: bigint, since: bigint): void {
    this.#lastSetBackMs = this.#common.clock.nowMs();
    this.#counts.setBacks += 1;
    this.#metrics.setBacks.inc({ target: this.#name });
    this.#common.log.error(
      { discovery: this.#name, sequence: String(sequence), since: String(since) },
      'aggregator no longer has the entry that was read last: it is read again from Since',
    );
  }

  #settle(failures: number): void {
    const was = this.isFailing;
    this.#failures = failures;
    if (was === this.isFailing) return;
    this.#metrics.failing.set({ target: this.#name }, this.isFailing ? 1 : 0);
    this.#onFailing();
  }
}

function createMetrics({ metrics }: Common) {
  const labelNames = ['target'] as const;
  return {
    ...createSourceMetrics(metrics),
    sequence: gauge(metrics, {
      name: 'indexer_discovery_sequence',
      help: 'The highest sequence of an aggregator that was read.',
      labelNames,
    }),
    gaps: gauge(metrics, {
      name: 'indexer_discovery_gaps',
      help: 'Gaps between the sequences of an aggregator that are read again for late entries.',
      labelNames,
    }),
    late: counter(metrics, {
      name: 'indexer_discovery_late_entries_total',
      help: 'Entries of an aggregator that appeared below sequences that had been read.',
      labelNames,
    }),
    quarantined: counter(metrics, {
      name: 'indexer_discovery_quarantined_total',
      help: 'Entries of an aggregator that failed a check, by the first that did.',
      labelNames: ['target', 'reason'],
    }),
    setBacks: counter(metrics, {
      name: 'indexer_discovery_set_backs_total',
      help: 'Times that an aggregator no longer had the entry that was read last, and was read again from Since.',
      labelNames,
    }),
    held: gauge(metrics, {
      name: 'indexer_discovery_held_bool',
      help: '1 while the signatures of an entry cannot be judged, and the aggregator is read no further.',
      labelNames,
    }),
    failing: gauge(metrics, {
      name: 'indexer_discovery_failing_bool',
      help: '1 while the calls to an aggregator fail, and the next of its group is read.',
      labelNames,
    }),
  };
}
