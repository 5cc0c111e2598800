import type { CircuitState } from '../core/circuit-breaker.js';
import type { Hex } from '../core/hex.js';

/** A verifier as a worker is configured with it, and how it is doing there. */
export interface VerifierReport {
  readonly name: string;
  /** CCVs on their source chain that it answers for. */
  readonly addresses: readonly Hex[];
  /** While it is open the verifier is left alone, because it failed too often. */
  readonly breaker: CircuitState;
  /** Requests that failed since the last that did not. */
  readonly failures: number;
}
