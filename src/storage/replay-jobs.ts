import type { Hex } from '../core/hex.js';
import type { Lease } from '../model/batch.js';

/** `stopped`: by a person · `failed`: by an error. Both can be resumed. */
export type ReplayState = 'running' | 'stopped' | 'failed' | 'done';

/** A request to read something again. */
export interface ReplayRequest {
  /** `discovery`, `messages` or `chain`. */
  readonly kind: string;
  /** JSON in one spelling: equal requests have equal bytes. */
  readonly request: string;
  /** sha256 of `request`. */
  readonly requestHash: Hex;
}

/** A replay as stored. Times are unix ms of the storage's clock. */
export interface ReplayJob extends ReplayRequest {
  readonly id: bigint;
  readonly state: ReplayState;
  /** Everything before it is stored; null: nothing is. In the words of the source. */
  readonly cursor: string | null;
  /** JSON of the runner; null: no step was done. */
  readonly progress: string | null;
  readonly error: string | null;
  readonly owner: string | null;
  readonly epoch: bigint;
  readonly createdMs: number;
  readonly heartbeatMs: number;
  readonly endedMs: number | null;
  /** The state is `running` and its runner is there. `running` without it: the runner crashed. */
  readonly isHeld: boolean;
}

/** The end of a wish to run a job: it is this runner's, another runs it, or it is done. */
export type TakenReplay =
  | { readonly kind: 'taken'; readonly job: ReplayJob; readonly lease: Lease }
  | { readonly kind: 'elsewhere'; readonly job: ReplayJob }
  | { readonly kind: 'done'; readonly job: ReplayJob };

/** A runner of jobs. */
export interface ReplayRunner {
  /** Unlike any other. */
  readonly owner: string;
  /** The runner counts as gone so long after its last sign. */
  readonly leaseMs: number;
  /** Whether another runner is known to have ended, although its lease has not. */
  hasEnded(owner: string): boolean;
}

/**
 * The replays of a namespace. A job has one runner at a time: a row with owner, epoch and expiry, so that a pooler does
 * no harm. Its lease is one of the storage too (source `replay:<id>`): a batch under it is refused once another took
 * the job.
 *
 * ```
 *  begin ─► running ─┬─► done
 *             ▲      ├─► stopped ─┐
 *             │      └─► failed ──┤  begin again with an equal request, or take
 *             └───────────────────┘  (also of a running job whose runner is gone)
 * ```
 * @throws StorageUnavailableError, StorageFailureError from every method; each may be repeated.
 */
export interface ReplayJobs {
  /** The last job of an equal request, or a new one. `again`: a new one also where the last is done. */
  begin(request: ReplayRequest, runner: ReplayRunner, again: boolean): Promise<TakenReplay>;
  /** Null: there is no such job. */
  take(id: bigint, runner: ReplayRunner): Promise<TakenReplay | null>;
  /** The runner is there. With `step`, its job is that far. @throws LeaseLostError when another took the job. */
  beat(lease: Lease, leaseMs: number, step?: { readonly cursor: string; readonly progress: string }): Promise<void>;
  /** Nothing where the lease does not stand any more. */
  end(lease: Lease, state: Exclude<ReplayState, 'running'>, error: string | null): Promise<void>;
  get(id: bigint): Promise<ReplayJob | null>;
  /** The last ones, the newest first. */
  list(limit: number): Promise<readonly ReplayJob[]>;
}

const SOURCE = 'replay:';

/** The name of a job among the sources of leases. */
export function replaySourceId(id: bigint): string {
  return `${SOURCE}${id}`;
}

/** The inverse of `replaySourceId`. */
export function replayIdOf({ source }: Pick<Lease, 'source'>): bigint {
  return BigInt(source.slice(SOURCE.length));
}
