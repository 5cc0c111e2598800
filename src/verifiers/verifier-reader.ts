import type { Hex } from '../core/hex.js';
import type { VerifierResult } from '../protocol/records.js';
import type { VerifierResultRejectedError } from './verifier-errors.js';

/** The state of a reader, for the status page. */
export interface VerifierReaderStatus {
  /** `open`: the service failed too often and is left alone for a while; `half-open`: one request tries it. */
  readonly circuit: 'closed' | 'open' | 'half-open';
  /** Time of the service's last readable answer, unix ms; null: never. */
  readonly lastSuccessMs: number | null;
  /**
   * The reason for which the last request that was made failed, with the HTTP status and the service's first line;
   * null when it did not fail. That none is made while the circuit is open is no reason.
   */
  readonly lastError: string | null;
  /** Time of that failure, unix ms. */
  readonly lastErrorMs: number | null;
  /** HTTP status of that failure, where there was an answer. */
  readonly lastErrorStatus: number | null;
  /** Requests that failed since the last that did not. */
  readonly failuresInARow: number;
}

/** Asks one verifier service for results. Its results have passed every check of `checkVerifierResult`. */
export interface VerifierReader {
  /** The configured name, for logs, metrics and `VerifierResult.verifierName`. */
  readonly name: string;
  /** CCV source addresses (lower-case hex) that this reader answers for. */
  readonly issuerAddresses: readonly Hex[];
  /**
   * The result for one message, or null while the verifier does not know it. Calls are gathered into batches.
   * @throws VerifierUnavailableError when the service cannot be asked now.
   * @throws CommitteeUnreadableError when the signatures of its result have to be judged and cannot be now.
   * @throws VerifierResultRejectedError when the service's answer for this message fails a check.
   * @throws AbortedError as soon as `signal` aborts; ClosedError after `close`.
   */
  read(messageId: Hex, signal?: AbortSignal): Promise<VerifierResult | null>;
  /**
   * Tells `listener` of every result that fails a check and belongs to no `read`: unreadable, not asked for, or a
   * second one. Listeners must not throw. The returned function ends that.
   */
  onStray(listener: (rejected: VerifierResultRejectedError) => void): () => void;
  status(): VerifierReaderStatus;
  /** Fails waiting reads, ends running ones. Idempotent. */
  close(): Promise<void>;
}
