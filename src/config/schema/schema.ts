import { z } from 'zod';
import { aggregatorAddress, credentials, discovery, maxResponseBytes } from './aggregator-schema.js';
import {
  address,
  ageAsMs,
  didYouMean,
  flag,
  milliseconds,
  name,
  oneOf,
  port,
  secondsAsMs,
  selector,
  tables,
  text,
  url,
  verifySignatures,
  whole,
} from './fields.js';
import { bearerToken, isCorsOrigin, isListenAddress, isTrustedProxy } from './network-fields.js';
import { connectionUri, namespace, storageSchema } from './storage-schema.js';

const RATIO_HINT = 'write the part that is traced as a number from 0 to 1, for example 0.1';

const confirmations = z.union([oneOf(['finalized', 'safe', 'latest']), whole(1, 'the number of blocks')], {
  error: ({ input }) =>
    'write "finalized", "safe", "latest" or a number of blocks, for example ' +
    `12${didYouMean(input, ['finalized', 'safe', 'latest'])}`,
});

const startBlock = whole(0, 'the block number');

const ramp = z.strictObject({
  Address: address(20, 20),
  /** Default: `StartBlock` of the chain. */
  StartBlock: startBlock.optional(),
});

const ccv = z.strictObject({
  Address: address(20, 20),
  /** Its addresses on other chains, as sources. */
  Sources: z.array(address(1, 255), { error: 'write a list of addresses' }),
});

const chain = z.strictObject({
  Name: name('ethereum'),
  Selector: selector,
  RpcUrls: z
    .array(url('http', 'https', 'ws', 'wss'), { error: 'write a list of URLs, the preferred one first' })
    .min(1, { error: 'write at least one RPC URL' }),
  /** The EIP-155 chain id of its nodes; default: the one that the public list has for the selector. */
  ChainID: whole(1, 'the chain id')
    .max(2 ** 52 - 1, { error: 'write a chain id below 2^52' })
    .optional(),
  /** Instead of `OnRamps`, or as the first of them. */
  OnRamp: address(20, 20).optional(),
  /** When contracts were replaced. */
  OnRamps: tables(ramp, 'Chain.OnRamps').default([]),
  /** Instead of `OffRamps`, or as the first of them; without one, no executions are read. */
  OffRamp: address(20, 20).optional(),
  OffRamps: tables(ramp, 'Chain.OffRamps').default([]),
  /** From the calls behind executions: none, of direct calls, or also of those that nodes can trace. */
  RecoverVerifications: oneOf(['off', 'direct', 'trace']).default('direct'),
  /** CCVs of this chain as a destination. */
  CCVs: tables(ccv, 'Chain.CCVs').default([]),
  /** First block to read: the one in which the first ramp was deployed, or later. */
  StartBlock: startBlock.default(0),
  Confirmations: confirmations.default('finalized'),
  /** Bounds the `finalized` tag; 0: as many as `Confirmations` when that is a number. */
  MinFinalityDepth: whole(0, 'the number of blocks').default(0),
  HaltAfter: milliseconds(0).default(900_000),
  PollInterval: milliseconds(10).default(1_000),
  MaxBlockRange: whole(1, 'the number of blocks').default(2_000),
  /** Finalized blocks are confirmed by a second RPC URL, where there is one. */
  CrossCheck: flag.default(true),
  /** Per RPC URL. */
  RequestsPerSecond: whole(1, 'the number of requests').default(25),
  RequestTimeout: milliseconds(100).default(10_000),
  /** Most calls in one request. */
  MaxBatchCalls: whole(1, 'the number of calls').max(1_000, { error: 'write at most 1000' }).default(50),
  MaxResponseBytes: maxResponseBytes.default(16 * 1024 * 1024),
});

const verifier = z.strictObject({
  Type: oneOf(['aggregator', 'rest']),
  /** Default: `Address` or `BaseURL`. */
  Name: name('committee-1'),
  /** CCVs that it answers for; those of `GeneratedConfigPath` are among them. */
  IssuerAddresses: z.array(address(1, 255), { error: 'write a list of addresses' }).default([]),
  Address: aggregatorAddress.optional(),
  BaseURL: url('http', 'https').optional(),
  RequestTimeout: secondsAsMs(0.001).default(10_000),
  BatchSize: whole(1, 'the number of message ids').default(100),
  MaxBatchWaitTime: milliseconds(0).default(500),
  MaxResponseBytes: maxResponseBytes.default(4 * 1024 * 1024),
  MaxCCVDataBytes: whole(1_024, 'the size in bytes')
    .max(16 * 1024 * 1024, { error: 'write at most 16777216 (16 MiB)' })
    .default(128 * 1024),
  VerifySignatures: verifySignatures(),
  ...credentials,
});

const scheduler = z.strictObject({
  TickerInterval: milliseconds(21).default(50),
  BaseDelay: milliseconds().default(1_000),
  MaxDelay: milliseconds().default(60_000),
  VerificationVisibilityWindow: ageAsMs(1).default(3_600_000),
  MaxHeapSize: whole(1, 'the number of tasks').default(100_000),
});

const lanes = z.strictObject({
  /** Age of a gap at which its messages are asked for again; 0: never. */
  AskAgainAfter: secondsAsMs(0).default(60_000),
});

const pool = z.strictObject({
  ConcurrentWorkers: whole(1, 'the number of workers').default(100),
  WorkerTimeout: secondsAsMs(0.1).default(60_000),
  HydrationBatchSize: whole(1, 'the number of messages').default(1_000),
});

/** Of a server, with the most connections it has by default. */
const connections = (most: number, mostPerAddress: number) => ({
  MaxConnections: whole(1, 'the number of connections').default(most),
  MaxConnectionsPerAddress: whole(1, 'the number of connections').default(mostPerAddress),
  FirstByteTimeout: milliseconds(100).default(10_000),
  ReadTimeout: milliseconds(100).default(20_000),
});

const api = z.strictObject({
  ListenAddress: isListenAddress.default('0.0.0.0'),
  ListenPort: port.default(8_100),
  /** Others that are answered below /ns/{name}. */
  Namespaces: z.array(namespace, { error: 'write a list of namespaces' }).default([]),
  TrustedProxies: z.array(isTrustedProxy, { error: 'write a list of addresses or CIDR ranges' }).default([]),
  RateLimit: z
    .strictObject({
      Enabled: flag.default(false),
      /** Requests a second that one client address may make. */
      RequestsPerSecond: whole(1, 'the number of requests').default(50),
    })
    .prefault({}),
  CORS: z
    .strictObject({
      /** Origins whose pages may read answers, or "*" alone. */
      Origins: z
        .array(isCorsOrigin, { error: 'write a list of origins, or ["*"]' })
        .refine((origins) => origins.length === 1 || !origins.includes('*'), { error: 'write "*" alone' })
        .default([]),
    })
    .prefault({}),
  /** 0: no answer is compressed. */
  CompressAbove: whole(0, 'the length in bytes, or 0 for none').default(16 * 1024),
  MaxAnswerBytes: whole(1_048_576, 'the size in bytes').default(128 * 1024 * 1024),
  AnswerPartBytes: whole(65_536, 'the size in bytes').default(2 * 1024 * 1024),
  MaxFeedReaders: whole(0, 'the number of readers, or 0 for none').default(500),
  ...connections(1_000, 256),
});

const admin = z.strictObject({
  ListenAddress: isListenAddress.default('127.0.0.1'),
  ListenPort: port.default(8_101),
  /** Every request but those for `/health` and `/ready` has to carry it. */
  BearerToken: bearerToken.optional(),
  ...connections(64, 64),
});

const page = z.strictObject({
  Enabled: flag.default(true),
  /** Names and block explorers of chains; the chains of `[[Chain]]` have their names already. */
  Chains: tables(
    z.strictObject({
      Selector: selector,
      /** Default: of the `[[Chain]]` with the selector. */
      Name: name('ethereum').optional(),
      /** Base URL with the paths of EIP-3091: /tx/…, /address/…, /block/… */
      ExplorerURL: url('http', 'https').optional(),
    }),
    'Page.Chains',
  ).default([]),
});

const log = z.strictObject({
  Level: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  Format: oneOf(['json', 'pretty', 'auto']).default('auto'),
});

const tracing = z.strictObject({
  /** A receiver of OTLP over HTTP. */
  Endpoint: url('http', 'https'),
  /** The part of messages, and of requests, that is traced. */
  SampleRatio: z.number({ error: RATIO_HINT }).min(0, { error: RATIO_HINT }).max(1, { error: RATIO_HINT }).default(0.1),
  ServiceName: name('ccv-indexer').default('ccv-indexer'),
  /** Sent with the spans, for receivers that want a token. */
  Headers: z.record(z.string(), text('Bearer …'), { error: 'write a table of headers and their values' }).default({}),
});

const migration = z.strictObject({
  /** The names of two Postgres backends: the one that is left, and the one that takes its place. */
  From: name('old').optional(),
  To: name('new'),
  /** Instead of `From`: the database of a Go indexer, which goes on writing it until the switch. */
  GoIndexer: z
    .strictObject({
      URI: connectionUri.optional(),
      /** Of the process whose local clock its table `messages` has: an IANA name or an offset. */
      TimeZone: z.string({ error: 'write the time zone of the Go indexer, for example "UTC" or "Europe/Berlin"' }),
    })
    .optional(),
  /** Once reads come from the new one, a write is acknowledged only when the old one has it too. */
  BackupRequired: flag.default(true),
  /** Limits of passes over the database that is in use: backfill and comparison. */
  RowsPerSecond: whole(1, 'the number of rows').default(5_000),
  MaxLatency: milliseconds().default(500),
  MaxReplicationLag: milliseconds().default(10_000),
});

/** The whole configuration file, in the names that operators already have (`config/README.md`). */
export const configSchema = z.strictObject({
  Namespace: namespace.default('ccv'),
  Chain: tables(chain, 'Chain').default([]),
  Discoveries: tables(discovery, 'Discoveries').default([]),
  Verifier: tables(verifier, 'Verifier').default([]),
  Scheduler: scheduler.prefault({}),
  Pool: pool.prefault({}),
  Lanes: lanes.prefault({}),
  API: api.prefault({}),
  Admin: admin.prefault({}),
  Page: page.prefault({}),
  Log: log.prefault({}),
  Tracing: tracing.optional(),
  Storage: storageSchema,
  Migration: migration.optional(),
});

/** A checked configuration. Durations are in milliseconds whatever unit the file uses, addresses lower-case hex. */
export type Config = z.output<typeof configSchema>;
export type ChainSection = Config['Chain'][number];
export type { DiscoverySection } from './aggregator-schema.js';
export type MigrationSection = z.output<typeof migration>;
export type TracingSection = z.output<typeof tracing>;
export type VerifierSection = Config['Verifier'][number];
