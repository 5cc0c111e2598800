import { createHash } from 'node:crypto';
import { assertNever } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import type { WriteBatch } from '../../model/batch.js';
import type { ReplayRequest } from '../../storage/replay-jobs.js';

/** One piece that was read again. */
export interface ReplayStep {
  /** Null: there is nothing to store. */
  readonly batch: WriteBatch | null;
  /** Where to go on once the batch is stored. */
  readonly cursor: string;
  /** So many units were read since the last step. */
  readonly read: number;
  /** Message ids that no source knows. */
  readonly unknown?: readonly Hex[];
}

/** The source of a replay: its steps, in order. */
export interface ReplaySource {
  /** For people: `blocks`, `messages`, `entries`. */
  readonly unit: string;
  /** Units in all; null: not known before the end. */
  readonly total: number | null;
  /**
   * The pieces from the cursor of an earlier step on, in order; null: from the beginning. Each is read when it is asked
   * for.
   * @throws IndexerError when a source gives no answer, AbortedError.
   */
  steps(cursor: string | null, signal: AbortSignal): AsyncIterable<ReplayStep>;
}

/** What an operator asks for. Equal ones are one job. */
export type ReplayWish =
  | { readonly kind: 'discovery'; readonly sources: readonly string[]; readonly since: string; readonly force?: true }
  | { readonly kind: 'messages'; readonly ids: readonly Hex[]; readonly force?: true }
  | { readonly kind: 'chain'; readonly chain: string; readonly from: number; readonly to: number };

/** The request of a job: its fields in one order, ids sorted and each once. */
export function requestOf(wish: ReplayWish): ReplayRequest {
  const request = JSON.stringify(canonical(wish));
  const requestHash: Hex = `0x${createHash('sha256').update(request).digest('hex')}`;
  return { kind: wish.kind, request, requestHash };
}

/** The inverse of `requestOf`. */
export function wishOf({ request }: Pick<ReplayRequest, 'request'>): ReplayWish {
  return JSON.parse(request) as ReplayWish;
}

function canonical(wish: ReplayWish): ReplayWish {
  switch (wish.kind) {
    case 'discovery': {
      const { kind, sources, since } = wish;
      return { kind, sources: [...new Set(sources)], since: String(BigInt(since)), ...forceOf(wish) };
    }
    case 'messages': {
      const ids = new Set(wish.ids.map((id) => id.toLowerCase() as Hex));
      return { kind: wish.kind, ids: [...ids].sort(), ...forceOf(wish) };
    }
    case 'chain': {
      const { kind, chain, from, to } = wish;
      return { kind, chain, from, to };
    }
    default:
      return assertNever(wish, 'replay');
  }
}

function forceOf({ force }: { readonly force?: true }): { readonly force?: true } {
  return force === true ? { force } : {};
}

/** Whether stored results are replaced where a source gives other bytes. */
export function isForced(wish: ReplayWish): boolean {
  return wish.kind !== 'chain' && wish.force === true;
}
