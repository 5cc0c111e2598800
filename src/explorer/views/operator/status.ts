import { type Asked, useAnswer, useReloadEvery } from '../../server/use-answer.js';

/** A part of the status that could not be had. */
export interface Unavailable {
  readonly unavailable: string;
}

/** Where a storage is complete, in times and positions. Null is the present, a negative time the beginning. */
export interface Coverage {
  readonly afterMs: number | null;
  readonly throughMs: number | null;
  readonly afterPosition: string;
  readonly throughPosition: string;
}

export interface TierStatus {
  readonly name: string;
  readonly role: string;
  readonly tier: string;
  readonly required: boolean;
  readonly condition: string;
  readonly coverage: Coverage;
  readonly health: { readonly healthy: boolean; readonly reason: string | null };
  readonly state: string | null;
  readonly lag: { readonly positions: string; readonly ms: number | null } | null;
  readonly lastError: { readonly code: string; readonly message: string } | null;
}

export interface ChainStatus {
  readonly name: string;
  readonly state: string;
  readonly restarts: number;
  readonly lastError: unknown;
  readonly watcher: {
    readonly state: string;
    readonly head: number | null;
    readonly safe: number | null;
    readonly finalized: number | null;
    readonly processed: number | null;
    readonly lagBlocks: number | null;
    readonly lagMs: number | null;
    readonly problem: string | null;
    readonly reorgs: number;
    readonly orphaned: number;
    readonly quarantined: number;
    readonly messages: number;
    readonly executions: number;
    readonly selector: string;
    readonly rpc: readonly {
      readonly url: number | string;
      readonly state: string;
      readonly head: number | null;
      readonly lastError: unknown;
      readonly failuresInARow: number;
    }[];
  } | null;
}

export interface DiscoveryStatus {
  readonly name: string;
  readonly state: string;
  readonly aggregators: readonly {
    readonly name: string;
    readonly state: string;
    readonly sequence: number | string;
    readonly gaps: number;
    readonly lastAnswerMs: number | null;
    readonly lastError: unknown;
    readonly counts: Readonly<Record<string, number>>;
  }[];
}

export interface SchedulerStatus {
  readonly tasks: Readonly<Record<string, number>>;
  readonly overflowed: boolean;
  readonly unknownCCVs: { readonly addresses: readonly string[]; readonly unverifiableMessages: number };
  readonly verifiers: readonly {
    readonly name: string;
    readonly issuerAddresses: readonly string[];
    readonly circuit: string;
    readonly lastSuccessMs: number | null;
    readonly lastError: unknown;
    readonly failuresInARow: number;
  }[];
}

export interface WorkersStatus {
  readonly members: readonly { readonly member: string; readonly since: string; readonly sources: readonly string[] }[];
  readonly leases: readonly {
    readonly source: string;
    readonly owner: string | null;
    readonly epoch: number;
    readonly since: string;
  }[];
}

/** `GET /status`, as far as the page shows it. A process without the role of a worker has no sources. */
export interface Status {
  readonly role: string;
  readonly startedAt: string;
  readonly now: string;
  readonly tiers: readonly TierStatus[] | Unavailable;
  readonly workers: WorkersStatus | Unavailable | null;
  readonly sources?: readonly ChainStatus[];
  readonly discoveries?: readonly DiscoveryStatus[];
  readonly scheduler?: SchedulerStatus;
}

const RELOAD_EVERY_MS = 2_000;

/** The status of the process, every two seconds. */
export function useStatus(): Asked<Status> {
  const asked = useAnswer<Status>('status');
  useReloadEvery(asked.reload, RELOAD_EVERY_MS);
  return asked;
}

/** An error of any form as text; null: there is none. */
export function errorText(error: unknown): string | null {
  if (error === null || error === undefined) return null;
  if (typeof error === 'string') return error;
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  return [code, message].filter(Boolean).join(': ') || JSON.stringify(error);
}
