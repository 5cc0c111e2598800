import type { Clock } from '../../../core/clock.js';
import type { AdvanceHub } from '../clock/advance-hub.js';
import type { TransactionRunner } from '../connection/transaction-runner.js';

/** The dependencies of every family of reads. */
export interface ReadContext {
  /** The storage's, for errors. */
  readonly name: string;
  readonly clock: Clock;
  readonly read: TransactionRunner['read'];
  readonly readSent: TransactionRunner['readSent'];
  /** Told of the clock that each read saw. */
  readonly hub: Pick<AdvanceHub, 'seen'>;
}
