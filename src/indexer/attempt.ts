import type { Clock } from '../core/clock.js';
import { AbortedError, IndexerError, toError } from '../core/errors.js';
import type { TraceSpan, Tracing } from '../core/tracing.js';
import type { QuarantineEntry } from '../model/records.js';
import { CCVDataNotFoundError } from '../model/storage-errors.js';
import { CommitteeUnreadableError } from '../protocol/committee-reading.js';
import type { VerifierResult } from '../protocol/records.js';
import type { Storage } from '../storage/storage.js';
import { canonicalAddress } from '../verifiers/address.js';
import type { VerifierRegistry } from '../verifiers/registry.js';
import { VerifierResultRejectedError } from '../verifiers/verifier-errors.js';
import type { VerifierReader } from '../verifiers/verifier-reader.js';
import { quarantineEntry } from './quarantine-entry.js';
import { ATTEMPT_OVER, markAnswered, type VerificationTask } from './verification-task.js';
import type { WriteQueue } from './write-queue.js';

/**
 * How an attempt ended.
 * - `success`: every known CCV has answered, and that is stored · `pending`: some verifier does not know the message
 *   yet
 * - `rejected`: a result failed a check · `unavailable`: some verifier could not be asked, or not in time
 * - `unjudged`: no node of the destination told whose signatures a result must have
 * - `unverifiable`: no CCV of the message has a reader, and not all its results were discovered
 * - `ended`: the task is over
 */
export type AttemptOutcome = 'success' | 'pending' | 'rejected' | 'unavailable' | 'unjudged' | 'unverifiable' | 'ended';

/** The parts of an attempt. */
export interface AttemptDependencies {
  readonly storage: Storage;
  readonly registry: VerifierRegistry;
  readonly writes: WriteQueue;
  /** For all readers together; writing does not count. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly tracing: Tracing | null;
}

/**
 * Asks every reader of every missing CCV once, side by side, and stores each result as it comes. The status `success`
 * goes into the same transaction as the result that completes the message.
 * @throws the storage's error, when it cannot be read or will never take a result.
 */
export async function attemptTask(task: VerificationTask, deps: AttemptDependencies): Promise<AttemptOutcome> {
  if (!task.answerable) return 'unverifiable';
  if (task.needsLookup) await lookUp(task, deps.storage);
  if (task.ended) return 'ended';
  if (task.missing.length === 0) {
    await deps.writes.write({ statuses: [{ messageId: task.messageId, status: 'success' }] });
    return 'success';
  }
  if (!task.verifiable) return 'unverifiable';
  const span = deps.tracing?.attempt(task.messageId) ?? null;
  const attempt = new Attempt(task, deps, span);
  try {
    const outcome = await attempt.run();
    span?.end({ 'ccip.outcome': outcome });
    return outcome;
  } catch (thrown) {
    span?.end({}, toError(thrown));
    throw thrown;
  }
}

async function lookUp(task: VerificationTask, storage: Storage): Promise<void> {
  try {
    for (const result of await storage.getCCVData(task.messageId)) markAnswered(task, result.verifierSourceAddress);
  } catch (thrown) {
    if (!(thrown instanceof CCVDataNotFoundError)) throw thrown;
  }
  task.needsLookup = false;
}

/** One attempt under way. */
class Attempt {
  readonly #task: VerificationTask;
  readonly #deps: AttemptDependencies;
  readonly #span: TraceSpan | null;
  readonly #reads = new AbortController();
  /** Came, and not yet handed to the write queue. */
  #arrived: VerifierResult[] = [];
  #rejected: QuarantineEntry[] = [];
  #storing: Promise<void> | null = null;
  #complete = false;
  #sawRejected = false;
  #sawUnavailable = false;
  #sawUnjudged = false;

  constructor(task: VerificationTask, deps: AttemptDependencies, span: TraceSpan | null) {
    this.#task = task;
    this.#deps = deps;
    this.#span = span;
  }

  async run(): Promise<AttemptOutcome> {
    const { registry, clock, timeoutMs } = this.#deps;
    const readers = new Set(this.#task.missing.flatMap((address) => registry.readersFor(address)));
    this.#task.attempt = this.#reads;
    const cancelTimeout = clock.after(timeoutMs, () => this.#reads.abort(ATTEMPT_OVER));
    const reads = await Promise.allSettled([...readers].map((reader) => this.#read(reader)));
    cancelTimeout();
    this.#task.attempt = null;
    for (const read of reads) if (read.status === 'rejected') throw read.reason;
    if (this.#complete) return 'success';
    if (this.#task.ended) return 'ended';
    if (this.#sawRejected) return 'rejected';
    if (this.#sawUnjudged) return 'unjudged';
    return this.#sawUnavailable ? 'unavailable' : 'pending';
  }

  async #read(reader: VerifierReader): Promise<void> {
    const span = this.#span?.begin('verifier.read', { 'ccip.verifier': reader.name });
    try {
      const result = await reader.read(this.#task.messageId, this.#reads.signal);
      span?.end({ 'ccip.outcome': result === null ? 'unknown' : 'result' });
      if (result === null || this.#task.ended) return;
      this.#arrived.push(result);
    } catch (thrown) {
      const error = toError(thrown);
      if (error instanceof AbortedError) span?.end({ 'ccip.outcome': 'ended' });
      else span?.end({}, error);
      if (error instanceof VerifierResultRejectedError) this.#quarantine(error);
      else if (error instanceof CommitteeUnreadableError) this.#sawUnjudged = true;
      else if (error instanceof IndexerError)
        this.#sawUnavailable ||= !(error instanceof AbortedError && this.#complete);
      else throw error;
    }
    try {
      await this.#store();
    } catch (thrown) {
      this.#reads.abort(ATTEMPT_OVER);
      throw thrown;
    }
  }

  #quarantine(error: VerifierResultRejectedError): void {
    this.#sawRejected = true;
    const entry = quarantineEntry(error);
    this.#task.quarantined ??= new Set();
    if (this.#task.quarantined.has(`${entry.sourceId} ${entry.key}`)) return;
    this.#task.quarantined.add(`${entry.sourceId} ${entry.key}`);
    this.#rejected.push(entry);
  }

  /**
   * Stores the results that have arrived, one write at a time: a write that says `success` must not overtake the
   * results that make it true. Results that arrive meanwhile go along with the next.
   */
  async #store(): Promise<void> {
    while (this.#arrived.length > 0 || this.#rejected.length > 0) {
      this.#storing ??= this.#storeArrived().finally(() => {
        this.#storing = null;
      });
      await this.#storing;
    }
  }

  async #storeArrived(): Promise<void> {
    const { messageId } = this.#task;
    const verifierResults = this.#arrived;
    const quarantine = this.#rejected;
    this.#arrived = [];
    this.#rejected = [];
    const answered = new Set(verifierResults.map((result) => canonicalAddress(result.verifierSourceAddress)));
    const completes = !this.#complete && this.#task.missing.every((address) => answered.has(address));
    const statuses = completes ? [{ messageId, status: 'success' as const }] : [];
    await this.#deps.writes.write({ verifierResults, quarantine, statuses });
    for (const address of answered) markAnswered(this.#task, address);
    if (!completes) return;
    this.#complete = true;
    this.#reads.abort(ATTEMPT_OVER);
  }
}
