import type { ChainSourceStatus } from '../chains/watch/chain-status.js';
import type { Common } from '../core/common.js';
import { IndexerError, toError } from '../core/errors.js';
import type { Indexer } from '../indexer/indexer.js';
import type { Sink } from '../sink/sink.js';
import type { Role } from './role.js';
import { packageVersion } from './version.js';

/** Counting a large table may take long: a status page does not wait for it. */
const COUNT_LIMIT_MS = 2_000;

/**
 * The value of `/status`: version and role, sources with their cursors and lag, tasks, tiers with their coverage,
 * counts. A part that cannot be had right now shows the reason instead.
 */
export function createStatusReport(options: {
  readonly common: Common;
  readonly sink: Sink;
  readonly indexer: Indexer<ChainSourceStatus> | null;
  readonly role: Role;
}): () => Promise<unknown> {
  const { common, sink, indexer, role } = options;
  const startedMs = common.clock.nowMs();
  const countMessages = oneAtATime(() => sink.countMessages({}));
  const countResults = oneAtATime(() => sink.countCCVData({}));
  return async () => {
    const [cursors, tiers, messages, verifierResults] = await Promise.all([
      orReason(sink.listCursors()),
      orReason(sink.status()),
      orReason(within(common, countMessages())),
      orReason(within(common, countResults())),
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

/**
 * Callers share an answer under way: a count goes on after a page has given up on it, and a page that is asked for
 * again and again must not fill the database's connections with counts.
 */
function oneAtATime<T>(ask: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | null = null;
  return () => {
    underWay ??= ask().finally(() => {
      underWay = null;
    });
    return underWay;
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
