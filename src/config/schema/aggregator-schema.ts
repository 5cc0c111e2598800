import { z } from 'zod';
import { flag, milliseconds, name, text, verifySignatures, whole } from './fields.js';

const ADDRESS_HINT = 'write host:port alone, for example "aggregator.example.org:443"';
const API_KEY_HINT = 'write the key as the aggregator gave it, a UUID, in the secrets file';
const SECRET_HINT = 'write the secret as hex digits of at least 32 bytes, in the secrets file';

/** The place of an aggregator. */
export const aggregatorAddress = text('aggregator.example.org:443').refine((given) => !/^https?:|\s/i.test(given), {
  error: ADDRESS_HINT,
});

/** How requests to an aggregator are signed and sent. Empty texts: they are not signed. */
export const credentials = {
  APIKey: z
    .string({ error: API_KEY_HINT })
    .regex(/^(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}|)$/i, { error: API_KEY_HINT })
    .default(''),
  Secret: z
    .string({ error: SECRET_HINT })
    .regex(/^(?:(?:[0-9a-f]{2}){32,}|)$/i, { error: SECRET_HINT })
    .default(''),
  InsecureConnection: flag.default(false),
  /** PEM; empty: the authorities of Node.js and of `NODE_EXTRA_CA_CERTS`. */
  CACertFile: z.string({ error: 'write the path of a PEM file' }).default(''),
};

/** Bytes of an answer that are read. */
export const maxResponseBytes = whole(1_024, 'the size in bytes').max(100 * 1024 * 1024, {
  error: 'write at most 104857600 (100 MiB)',
});

/** An aggregator that messages are found at. */
export const discovery = z.strictObject({
  Address: aggregatorAddress,
  /** Default: `Address`. */
  Name: name('aggregator-1'),
  /** The first sequence to read, while none is stored for this source. */
  Since: whole(0, 'the sequence number').transform(BigInt).default(0n),
  /** Those of one group stand in for each other: the first is read, the next while all before it fail. */
  Group: name('committee-1').optional(),
  /** Sequences below the last one read within which late entries are looked for, for `OverlapTime`. */
  Overlap: whole(0, 'the number of sequences').transform(BigInt).default(10_000n),
  OverlapTime: milliseconds().default(60_000),
  PollInterval: milliseconds().default(1_000),
  Timeout: milliseconds().default(5_000),
  MaxResponseBytes: maxResponseBytes.default(4 * 1024 * 1024),
  /** Of results that come with messages, where that of their verifier is no stricter. */
  VerifySignatures: verifySignatures(),
  ...credentials,
});

/** A checked `[[Discoveries]]` table. */
export type DiscoverySection = z.output<typeof discovery>;
