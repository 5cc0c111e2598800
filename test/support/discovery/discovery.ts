import { afterEach } from 'vitest';
import {
  type AggregatorServer,
  type AggregatorServerOptions,
  startAggregatorServer,
} from '../../../scripts/devnet/aggregator/aggregator-server.js';
import { type Common, createCommon } from '../../../src/core/common.js';
import { hexToBytes } from '../../../src/core/hex.js';
import { createDiscoveryGroup } from '../../../src/discovery/discovery-group.js';
import type { DiscoveryStatus } from '../../../src/discovery/discovery-journal.js';
import { DiscoverySource, type DiscoverySourceOptions } from '../../../src/discovery/discovery-source.js';
import type { VerifierResult } from '../../../src/model/records.js';
import { DISCOVERY_ONLY_TAG } from '../../../src/protocol/discovery-only.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createAggregatorClient } from '../../../src/verifiers/aggregator/client/aggregator-client.js';
import { readProtobufClaim } from '../../../src/verifiers/aggregator/client/protobuf-claim.js';
import { eventually } from '../eventually.js';
import { createTestDatabase } from '../postgres/postgres.js';
import { API_KEY, closing, SECRET } from '../verifiers/aggregator.js';

/** Aggregators, a database, and discovery that reads the one into the other. */
export interface DiscoveryFixture {
  readonly aggregators: readonly AggregatorServer[];
  readonly storage: Storage;
  /** Starts a group of all aggregators, named agg-0 and so on. */
  start(settings?: Partial<DiscoverySourceOptions>): RunningDiscovery;
}

/** A group that runs. */
export interface RunningDiscovery {
  status(index?: number): DiscoveryStatus;
  /** As of its group. */
  lookAgain(): void;
  /** Settles when the run has ended. */
  readonly ended: Promise<void>;
  /** Runs it again, after it has ended. */
  again(): void;
  stop(): Promise<void>;
}

const stopping: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0)) await stop();
});

/** Opens `count` aggregators with credentials, and a database of its own. */
export async function openDiscovery(
  count = 1,
  server: Partial<AggregatorServerOptions> = {},
): Promise<DiscoveryFixture> {
  const database = await createTestDatabase();
  closing.push(() => database.drop());
  const storage = createPostgresStorage({ connection: database.connection });
  closing.push(() => storage.close());
  const aggregators: AggregatorServer[] = [];
  for (let index = 0; index < count; index++) {
    const clients = new Map([[API_KEY, SECRET]]);
    const aggregator = await startAggregatorServer({ clients, nowMs: () => Date.now(), ...server });
    closing.push(() => aggregator.close());
    aggregators.push(aggregator);
  }
  return { aggregators, storage, start: (settings) => start(aggregators, storage, settings) };
}

/** A client with credentials of the aggregator at `address`; closed after the test. */
export function discoveryClient(name: string, address: string, common: Common) {
  const client = createAggregatorClient({
    ...{ name, address, insecure: true, apiKey: API_KEY, secret: SECRET },
    ...{ timeoutMs: 60_000, maxResponseBytes: 4 * 1024 * 1024, common },
  });
  closing.push(() => client.close());
  return client;
}

function start(
  aggregators: readonly AggregatorServer[],
  storage: Storage,
  settings: Partial<DiscoverySourceOptions> = {},
): RunningDiscovery {
  const common = settings.common ?? createCommon();
  const sources = aggregators.map(({ address }, index) => {
    return new DiscoverySource({
      ...{ name: `agg-${index}`, since: 0n, pollIntervalMs: 20, overlap: 10_000n, overlapMs: 60_000 },
      client: discoveryClient(`agg-${index}`, address, common),
      entries: { readClaim: readProtobufClaim, verifierNameOf: () => null },
      store: storage,
      common,
      ...settings,
    });
  });
  const group = createDiscoveryGroup(sources);
  const ending = new AbortController();
  const ended = group.run(ending.signal);
  let last = ended;
  const stop = async () => {
    ending.abort();
    await Promise.allSettled([last]);
  };
  stopping.push(stop);
  return {
    ended,
    stop,
    lookAgain: () => group.lookAgain(),
    again() {
      last = group.run(ending.signal);
    },
    status(index = 0) {
      const status = group.status()[index];
      if (status === undefined) throw new Error(`no aggregator ${index}`);
      return status;
    },
  };
}

/** The cursor of the first aggregator. */
export const SOURCE = 'discovery:agg-0';
/** A result that only announces its message. */
export const ANNOUNCEMENT = { ccvData: hexToBytes(DISCOVERY_ONLY_TAG) };

export const publishAll = (aggregator: AggregatorServer, results: readonly VerifierResult[]) =>
  results.map((result) => aggregator.publish(result));

export const messagesOf = async (storage: Storage) => (await storage.countMessages({})).count;
export const resultsOf = async (storage: Storage) => (await storage.countCCVData({})).count;
export const cursorOf = async (storage: Storage) => (await storage.getCursor(SOURCE))?.height ?? null;
export const one = ([result]: readonly VerifierResult[]): VerifierResult => {
  if (result === undefined) throw new Error('no result');
  return result;
};

export async function untilRead(storage: Storage, sequence: bigint): Promise<void> {
  await eventually(`sequence ${sequence} is read`, async () => (await cursorOf(storage)) === sequence);
}
