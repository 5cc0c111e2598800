import { z } from 'zod';
import { ageAsMs, flag, milliseconds, oneOf, secondsAsMs, text, url, whole } from './fields.js';

const MIB = 1024 * 1024;
const MAX_PREFIX_BYTES = 100;
const PREFIX_HINT =
  `write names joined by single slashes, at most ${MAX_PREFIX_BYTES} bytes, for example "indexer/cold"; empty for ` +
  'the whole bucket';

const BUCKET_HINT = 'write the name of the bucket alone: no s3://, no server, and what lies below it as Prefix';
const REGION_HINT = 'write the region as letters, digits and hyphens, for example "eu-central-1"';

const prefix = z.string({ error: PREFIX_HINT }).refine(isPrefix, { error: PREFIX_HINT });
const secret = z
  .string({ error: 'write the key as text, in the secrets file' })
  .min(1, { error: 'write the key, or leave it out' });

/** Settings of a cold backend: the place of its objects, requests, flushes, care. */
export const s3 = z.strictObject({
  /** A local directory instead of a bucket. */
  Directory: text('/var/lib/ccv-indexer/cold').optional(),
  Bucket: text('ccv-indexer')
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/, { error: BUCKET_HINT })
    .optional(),
  Region: text('eu-central-1')
    .regex(/^[A-Za-z0-9-]+$/, { error: REGION_HINT })
    .optional(),
  Endpoint: url('http', 'https').optional(),
  Prefix: prefix.default(''),
  ForcePathStyle: flag.default(false),
  AccessKeyID: secret.optional(),
  SecretAccessKey: secret.optional(),
  SessionToken: secret.optional(),
  ChecksumMode: oneOf(['when_supported', 'when_required']).default('when_supported'),
  MaxAttempts: whole(1, 'the number of attempts').default(4),
  /** Of one attempt; bytes sent and received extend it. */
  RequestTimeout: secondsAsMs(0.1).default(10_000),
  /** Milliseconds; a read of which nothing has come for so long is sent once more beside the first. */
  HedgeDelay: milliseconds().default(1_000),
  MaxConnections: whole(1, 'the number of connections').default(64),
  FlushBytes: whole(1, 'the size in bytes').default(16 * MIB),
  FlushInterval: secondsAsMs(0.1).default(300_000),
  CacheBytes: whole(MIB, 'the size in bytes').default(128 * MIB),
  /** Milliseconds; for how long the tables are taken to be unchanged by other processes. */
  RefreshInterval: milliseconds(0).default(1_000),
  /** A flush of another process that is older than this and not committed is taken for dead. */
  TakeoverDelay: secondsAsMs().default(30_000),
  CompactInterval: secondsAsMs().default(600_000),
  CompactBytes: whole(MIB, 'the size in bytes').default(128 * MIB),
  /** A replaced file stays so long, for readers under way. */
  Grace: ageAsMs().default(604_800_000),
  VacuumInterval: secondsAsMs().default(3_600_000),
});

export type S3Section = z.output<typeof s3>;

/** The rules of object keys: see `checkObjectKey`, which this layer does not know. */
function isPrefix(text: string): boolean {
  if (text === '') return true;
  if (/[\p{Cc}\p{Cs}\\\uFFFE\uFFFF]/u.test(text) || Buffer.byteLength(text) > MAX_PREFIX_BYTES) return false;
  return text.split('/').every((name) => !['', '.', '..', '.uploading'].includes(name));
}
