import { z } from 'zod';
import { address, flag, milliseconds, oneOf, port, secondsAsMs, selector, tables, text, url, whole } from './fields.js';
import { storageSchema } from './storage-schema.js';

const confirmations = z.union([oneOf(['finalized', 'safe', 'latest']), whole(1, 'the number of blocks')], {
  error: 'write "finalized", "safe", "latest" or a number of blocks, for example 12',
});

const chain = z.strictObject({
  Name: text('ethereum'),
  Selector: selector,
  RpcUrls: z
    .array(url('http', 'https', 'ws', 'wss'), { error: 'write a list of URLs, the preferred one first' })
    .min(1, { error: 'write at least one RPC URL' }),
  OnRamp: address(20, 20),
  OffRamp: address(20, 20).optional(),
  /** First block to read: the one in which the OnRamp was deployed, or later. */
  StartBlock: whole(0, 'the block number').default(0),
  Confirmations: confirmations.default('finalized'),
  PollInterval: milliseconds(10).default(1_000),
  MaxBlockRange: whole(1, 'the number of blocks').default(2_000),
  /** Per RPC URL. */
  RequestsPerSecond: whole(1, 'the number of requests').default(25),
  RequestTimeout: milliseconds(100).default(10_000),
});

const credentials = {
  APIKey: z.string({ error: 'write the key as text' }).default(''),
  Secret: z.string({ error: 'write the secret as text' }).default(''),
  InsecureConnection: flag.default(false),
};
const maxResponseBytes = whole(1_024, 'the size in bytes').max(100 * 1024 * 1024, {
  error: 'write at most 104857600 (100 MiB)',
});

const discovery = z.strictObject({
  Address: text('aggregator.example.org:443'),
  Name: text('aggregator-1'),
  Since: whole(0, 'the sequence number').default(0),
  PollInterval: milliseconds().default(1_000),
  Timeout: milliseconds().default(5_000),
  MaxResponseBytes: maxResponseBytes.default(4 * 1024 * 1024),
  ...credentials,
});

const verifier = z.strictObject({
  Type: oneOf(['aggregator', 'rest']),
  Name: text('committee-1'),
  IssuerAddresses: z
    .array(address(1, 255), { error: 'write a list of addresses' })
    .min(1, { error: 'write the address of at least one CCV that this verifier answers for' }),
  Address: text('aggregator.example.org:443').optional(),
  BaseURL: url('http', 'https').optional(),
  RequestTimeout: secondsAsMs(0.001).default(10_000),
  BatchSize: whole(1, 'the number of message ids').default(100),
  MaxBatchWaitTime: milliseconds(0).default(500),
  MaxResponseBytes: maxResponseBytes.default(4 * 1024 * 1024),
  MaxCCVDataBytes: whole(1_024, 'the size in bytes')
    .max(16 * 1024 * 1024, { error: 'write at most 16777216 (16 MiB)' })
    .default(128 * 1024),
  ...credentials,
});

const scheduler = z.strictObject({
  TickerInterval: milliseconds().default(50),
  BaseDelay: milliseconds().default(1_000),
  MaxDelay: milliseconds().default(60_000),
  VerificationVisibilityWindow: secondsAsMs(1).default(3_600_000),
  MaxHeapSize: whole(1, 'the number of tasks').default(100_000),
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
  ListenAddress: text('0.0.0.0').default('0.0.0.0'),
  ListenPort: port.default(8_100),
  TrustedProxies: z.array(text('10.0.0.0/8'), { error: 'write a list of addresses or CIDR ranges' }).default([]),
  RateLimit: z
    .strictObject({
      Enabled: flag.default(false),
      /** Requests a second that one client address may make. */
      RequestsPerSecond: whole(1, 'the number of requests').default(50),
    })
    .prefault({}),
  MaxAnswerBytes: whole(1_048_576, 'the size in bytes').default(128 * 1024 * 1024),
  AnswerPartBytes: whole(65_536, 'the size in bytes').default(2 * 1024 * 1024),
  ...connections(1_000, 256),
});

const admin = z.strictObject({
  ListenAddress: text('127.0.0.1').default('127.0.0.1'),
  ListenPort: port.default(8_101),
  ...connections(64, 64),
});

const log = z.strictObject({
  Level: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  Format: oneOf(['json', 'pretty', 'auto']).default('auto'),
});

/** The whole configuration file, in the names that operators already have (wire facts, section 8). */
export const configSchema = z.strictObject({
  Namespace: z
    .string({ error: 'write the namespace as text' })
    .regex(/^[a-z][a-z0-9_]{0,47}$/, { error: 'write up to 48 of a-z, 0-9 and _, a letter first' })
    .default('ccv'),
  Chain: tables(chain, 'Chain').default([]),
  Discoveries: tables(discovery, 'Discoveries').default([]),
  Verifier: tables(verifier, 'Verifier').default([]),
  Scheduler: scheduler.prefault({}),
  Pool: pool.prefault({}),
  API: api.prefault({}),
  Admin: admin.prefault({}),
  Log: log.prefault({}),
  Storage: storageSchema,
});

/** A checked configuration. Durations are in milliseconds whatever unit the file uses, addresses lower-case hex. */
export type Config = z.output<typeof configSchema>;
export type ChainSection = Config['Chain'][number];
export type VerifierSection = Config['Verifier'][number];
