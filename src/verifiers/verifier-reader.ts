import type { Hex } from '../core/hex.js';
import type { VerifierResult } from '../protocol/records.js';

/** Asks one verifier service for results. What it returns has passed every check of `checkVerifierResult`. */
export interface VerifierReader {
  /** The configured name, for logs, metrics and `VerifierResult.verifierName`. */
  readonly name: string;
  /** CCV source addresses (lower-case hex) that this reader answers for. */
  readonly issuerAddresses: readonly Hex[];
  /**
   * The result for one message, or null while the verifier does not know it. Calls are gathered into batches.
   * @throws VerifierUnavailableError when the service cannot be asked now.
   * @throws VerifierResultRejectedError when the service's answer for this message fails a check.
   */
  read(messageId: Hex, signal?: AbortSignal): Promise<VerifierResult | null>;
  /** Fails what waits, ends what runs. Idempotent. */
  close(): Promise<void>;
}
