import type { ChainSection, Config, DiscoverySection } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import { assertNever, IndexerError } from '../core/errors.js';
import { createRateLimiter, type RateLimiter } from '../core/rate-limiter.js';
import type { Shutdown } from '../core/shutdown.js';
import { batchOf, type EntryContext, readJudgedEntries } from '../discovery/read-entries.js';
import { createChainReplay } from '../indexer/replay/chain-replay.js';
import { createDiscoveryReplay } from '../indexer/replay/discovery-replay.js';
import { createMessageReplay, type MessageLookup } from '../indexer/replay/message-replay.js';
import { isForced, type ReplaySource, type ReplayWish } from '../indexer/replay/replay-source.js';
import type { ReplayJobs } from '../storage/replay-jobs.js';
import type { Storage } from '../storage/storage.js';
import type { AggregatorClient } from '../verifiers/aggregator/client/aggregator-client.js';
import { AggregatorCallError } from '../verifiers/aggregator/client/call-error.js';
import { createVerifierRegistry } from '../verifiers/registry.js';
import { backendSections, leadingDatabase } from './backend-sections.js';
import { entryReading, openAggregator } from './open-discoveries.js';
import { openRecovering } from './open-recovery.js';
import { openRpcPools, watchedChain } from './open-rpc.js';
import { openSignatures } from './open-signatures.js';
import { openStorage } from './open-storage.js';
import { openVerifier } from './open-verifier.js';

/** Connections of a replay to the database: one writes, one gives signs of life. */
const CONNECTIONS = 2;

/** Nothing is pruned by a process that opens its storage so. */
const PRUNE_INTERVAL_MS = 60_000;

/** Bounds on the load that a replay makes. */
export interface ReplayLimits {
  /** Requests a second to each node, verifier or aggregator. */
  readonly rate: number;
  /** Messages, or logs, of one transaction; an aggregator has pages of its own. */
  readonly batch: number;
}

/** The storage of a replay: the system of record, and the cold tier behind it to read from. */
export interface ReplayStorage {
  readonly storage: Storage;
  readonly jobs: ReplayJobs;
}

/**
 * Opens the storage of a replay, with connections of its own. Every other backend follows the system of record, as it
 * does for other processes.
 * @throws IndexerError where there is no database.
 */
export async function openReplayStorage(config: Config, common: Common, shutdown: Shutdown): Promise<ReplayStorage> {
  const sections = backendSections(config);
  const leader = leadingDatabase(sections);
  if (!leader?.Postgres)
    throw new IndexerError('NO_DATABASE', 'no Postgres backend is configured: replays are kept in one', false);
  const Postgres = { ...leader.Postgres, MaxOpenConnections: CONNECTIONS, MaxIdleConnections: CONNECTIONS };
  const cold = sections.filter(({ Type }) => Type === 's3');
  const Storages = [{ ...leader, Postgres }, ...cold].map(({ ReadCondition: _, ...section }) => section);
  const Sink = { PruneInterval: config.Storage.Sink?.PruneInterval ?? PRUNE_INTERVAL_MS, Storages };
  const opened = await openStorage({ ...config, Storage: { Strategy: 'sink', Sink } }, common, 'read');
  shutdown.add('storage', () => opened.close());
  if (!opened.leading) throw new IndexerError('NO_DATABASE', `backend ${leader.Name} is no database`, false);
  await opened.sink.started();
  return { storage: opened.sink, jobs: opened.leading.replays };
}

/** The parts of a replay. */
interface ReplayParts {
  readonly config: Config;
  readonly storage: Storage;
  readonly limits: ReplayLimits;
  readonly common: Common;
  readonly shutdown: Shutdown;
}

/**
 * Opens what a wish reads from; nothing is asked yet.
 * @throws IndexerError for a name that the configuration does not have.
 */
export async function openReplaySource(wish: ReplayWish, parts: ReplayParts): Promise<ReplaySource> {
  const { config, storage, limits, common, shutdown } = parts;
  const createLimiter = () => createRateLimiter({ perSecond: limits.rate, burst: 1, clock: common.clock });
  switch (wish.kind) {
    case 'chain': {
      const found = sectionNamed(config.Chain, wish.chain, 'Chain');
      const rpc = openRpcPools(common, shutdown)(withinLimits(found, limits));
      const { from, to } = wish;
      const recovering = openRecovering(found, rpc, storage);
      return createChainReplay({ chain: watchedChain(found), rpc, from, to, batch: limits.batch, common, recovering });
    }
    case 'discovery': {
      const { registry, signatures } = await openSources(parts);
      const aggregators = wish.sources.map((name) => {
        const section = sectionNamed(config.Discoveries, name, 'Discoveries');
        const client = openClient(section, common, shutdown);
        const entries = { ...entryReading(registry), ...signatures.judge(section), aggregator: name };
        return { client, entries, limiter: createLimiter() };
      });
      const since = BigInt(wish.since);
      return createDiscoveryReplay({ aggregators, since, replaces: isForced(wish), common });
    }
    case 'messages': {
      const { registry, signatures } = await openSources(parts);
      const limiters = new Map(registry.readers.map((reader) => [reader, createLimiter()]));
      const lookups = config.Discoveries.map((section) =>
        createLookup({
          ...{ aggregator: section.Name, client: openClient(section, common, shutdown), limiter: createLimiter() },
          ...{ entries: { ...entryReading(registry), ...signatures.judge(section) }, common },
        }),
      );
      return createMessageReplay({
        ids: wish.ids,
        batch: Math.min(limits.batch, ...config.Verifier.map(({ BatchSize }) => BatchSize)),
        registry,
        limiterOf: (reader) => limiters.get(reader) ?? createLimiter(),
        ...{ lookups, storage, common },
      });
    }
    default:
      return assertNever(wish, 'replay');
  }
}

function withinLimits(chain: ChainSection, { rate }: ReplayLimits): ChainSection {
  return { ...chain, RequestsPerSecond: Math.min(rate, chain.RequestsPerSecond) };
}

/** The section with a name. @throws IndexerError naming those that there are. */
export function sectionNamed<T extends { readonly Name: string }>(all: readonly T[], name: string, table: string): T {
  const found = all.find((section) => section.Name === name);
  if (found) return found;
  const known = all.map(({ Name }) => Name).join(', ');
  const next =
    known === '' ? `no [[${table}]] is configured` : `no [[${table}]] is called ${name}: write one of ${known}`;
  throw new IndexerError('NO_SOURCE', next, false);
}

/** The verifiers of a replay, and the judge of their results. */
async function openSources({ config, limits, common, shutdown }: ReplayParts) {
  const pools = openRpcPools(common, shutdown);
  const rpcOf = (section: ChainSection) => pools(withinLimits(section, limits));
  const signatures = openSignatures(config, rpcOf, common, shutdown);
  const readers = config.Verifier.map(async (section) =>
    signatures.reader(section, await openVerifier(section, common)),
  );
  const registry = createVerifierRegistry(await Promise.all(readers));
  shutdown.add('verifiers', () => registry.close());
  return { registry, signatures };
}

function openClient(section: DiscoverySection, common: Common, shutdown: Shutdown): AggregatorClient {
  const client = openAggregator(section, common);
  shutdown.add(`aggregator ${section.Name}`, () => client.close());
  return client;
}

/** Asks an aggregator for messages by id. One that has no such service gives none. */
function createLookup({
  aggregator,
  client,
  entries,
  limiter,
  common,
}: {
  readonly aggregator: string;
  readonly client: AggregatorClient;
  readonly entries: Omit<EntryContext, 'aggregator' | 'nowMs'>;
  readonly limiter: RateLimiter;
  readonly common: Common;
}): MessageLookup {
  return async (messageIds, signal) => {
    await limiter.take(signal);
    try {
      const { results } = await client.resultsFor(messageIds, signal);
      const placed = results.filter((raw) => raw.length > 0).map((raw) => ({ sequence: 0n, raw }));
      const context = { ...entries, aggregator, nowMs: common.clock.nowMs() };
      return batchOf(await readJudgedEntries({ placed, misplaced: [] }, context)) ?? {};
    } catch (thrown) {
      if (!(thrown instanceof AggregatorCallError) || thrown.grpcCode !== 'Unimplemented') throw thrown;
      common.log.warn({ err: thrown, aggregator }, 'an aggregator does not give messages by id');
      return {};
    }
  };
}
