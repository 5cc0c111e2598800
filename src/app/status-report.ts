import type { ChainSourceStatus } from '../chains/watch/chain-status.js';
import type { Common } from '../core/common.js';
import { IndexerError, toError } from '../core/errors.js';
import type { Indexer } from '../indexer/indexer.js';
import type { MoveState } from '../migration/move-state.js';
import type { Sink } from '../sink/sink.js';
import type { LeaseStore } from '../storage/lease-store.js';
import type { ServedNamespace } from './namespaces/serve.js';
import type { Role } from './role.js';
import { builtCommit, packageVersion } from './version.js';

/** Counting a large table may take long: a status page does not wait for it. */
const COUNT_LIMIT_MS = 2_000;

/**
 * The value of `/status`: version and role, the workers and who of them owns what, sources with their cursors and lag,
 * tasks, tiers with their coverage, counts. A part that cannot be had right now shows the reason instead.
 */
export function createStatusReport(options: {
  readonly common: Common;
  readonly sink: Sink;
  /** Where workers share the sources; null: one process alone fills the storage. */
  readonly leases: LeaseStore | null;
  /** The move that the process follows; null: none. */
  readonly move: (() => MoveState | null) | null;
  readonly indexer: Pick<Indexer<ChainSourceStatus>, 'status'> | null;
  readonly role: Role;
  /** Other namespaces that are answered for. */
  readonly served: readonly ServedNamespace[];
}): () => Promise<unknown> {
  const { common, sink, leases, move, indexer, role, served } = options;
  const startedMs = common.clock.nowMs();
  const countMessages = oneAtATime(() => sink.countMessages({}));
  const countResults = oneAtATime(() => sink.countCCVData({}));
  return async () => {
    const [cursors, tiers, shares, messages, verifierResults] = await Promise.all([
      orReason(sink.listCursors()),
      orReason(sink.status()),
      orReason(within(common, sharesOf(leases))),
      orReason(within(common, countMessages())),
      orReason(within(common, countResults())),
    ]);
    const others = await Promise.all(
      served.map(async (each) => [each.name, { tiers: await orReason(each.sink.status()) }] as const),
    );
    return {
      version: packageVersion(),
      commit: builtCommit(),
      role,
      startedAt: timeOf(startedMs),
      now: timeOf(common.clock.nowMs()),
      counts: { messages: countOf(messages), verifierResults: countOf(verifierResults) },
      tiers,
      workers: shares,
      ...(move ? { move: moveOf(move()) } : {}),
      cursors,
      ...(others.length > 0 ? { namespaces: Object.fromEntries(others) } : {}),
      ...(indexer ? statusOf(indexer) : {}),
    };
  };
}

/** The phase by which the process works, and since when the deployment is in it. */
function moveOf(state: MoveState | null): unknown {
  if (state === null) return { phase: null };
  const { from, to, phase, revision, history } = state;
  return { from, to, phase, revision, since: timeOf(history.at(-1)?.atMs ?? 0) };
}

/** The members and leases as the storage has them; null when no worker shares it. */
async function sharesOf(leases: LeaseStore | null): Promise<unknown> {
  if (leases === null) return null;
  const { members, leases: owned } = await leases.shares();
  return {
    members: members.map(({ member, sources, sinceMs }) => ({ member, since: timeOf(sinceMs), sources })),
    leases: owned.map(({ source, owner, epoch, sinceMs }) => ({ source, owner, epoch, since: timeOf(sinceMs) })),
  };
}

function statusOf(indexer: Pick<Indexer<ChainSourceStatus>, 'status'>): Readonly<Record<string, unknown>> {
  const { chains, discoveries, verifiers, scheduler, membership } = indexer.status();
  const { member, lastBeatMs, sources } = membership;
  const lastBeat = lastBeatMs === null ? null : timeOf(lastBeatMs);
  return { membership: { member, lastBeat, sources }, sources: chains, discoveries, verifiers, scheduler };
}

function timeOf(unixMs: number): string {
  return new Date(unixMs).toISOString();
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
