import type { ChainStatus } from '../chains/chain-status.js';
import type { Common } from '../core/common.js';
import { IndexerError, toError } from '../core/errors.js';
import type { Indexer } from '../indexer/indexer.js';
import type { Sink } from '../sink/sink.js';
import type { Role } from './role.js';
import { packageVersion } from './version.js';

/** Counting a large table may take long: a status page does not wait for it. */
const COUNT_LIMIT_MS = 2_000;

/**
 * What `/status` shows: version and role, sources with their cursors and lag, tasks, tiers with their coverage, counts. A
 * part that cannot be had right now shows why instead; the rest is shown all the same.
 */
export function createStatusReport(options: {
  readonly common: Common;
  readonly sink: Sink;
  readonly indexer: Indexer<ChainStatus> | null;
  readonly role: Role;
}): () => Promise<unknown> {
  const { common, sink, indexer, role } = options;
  const startedMs = common.clock.nowMs();
  return async () => {
    const [cursors, tiers, messages, verifierResults] = await Promise.all([
      orReason(sink.listCursors()),
      orReason(sink.status()),
      orReason(within(common, sink.countMessages({}))),
      orReason(within(common, sink.countCCVData({}))),
    ]);
    return {
      version: packageVersion(),
      role,
      startedAt: new Date(startedMs).toISOString(),
      now: new Date(common.clock.nowMs()).toISOString(),
      counts: { messages: countOf(messages), verifierResults: countOf(verifierResults) },
      tiers,
      cursors,
      ...(indexer ? { sources: indexer.status().chains, scheduler: indexer.status().scheduler } : {}),
    };
  };
}

function countOf(counted: unknown): unknown {
  return typeof counted === 'object' && counted !== null && 'count' in counted ? counted.count : counted;
}

async function orReason<T>(promise: Promise<T>): Promise<T | { readonly unavailable: string }> {
  try {
    return await promise;
  } catch (thrown) {
    return { unavailable: thrown instanceof IndexerError ? thrown.code : toError(thrown).name };
  }
}

function within<T>({ clock }: Common, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(COUNT_LIMIT_MS, () =>
      reject(new IndexerError('TOO_SLOW', `took longer than ${COUNT_LIMIT_MS} ms`, true)),
    );
    promise.then(resolve, reject).finally(cancel);
  });
}
