import { z } from 'zod';
import { ageAsMs, flag, milliseconds, name, oneOf, secondsAsMs, tables, text, unixTimeAsMs, whole } from './fields.js';
import { postgresUriFaults } from './postgres-uri.js';
import { s3 } from './s3-schema.js';

/** Backend kinds this version can open. */
const BACKEND_TYPES = ['memory', 'postgres', 's3'] as const;

const memory = z.strictObject({
  TTL: ageAsMs().default(0),
  MaxSize: whole(0, 'the number of records').default(0),
  MaxBytes: whole(0, 'the size in bytes').default(256 * 1024 * 1024),
  CleanupInterval: secondsAsMs(0.001).default(60_000),
  /** Milliseconds; how old a confirmation from the system of record may be before reads go there. */
  MaxStaleness: milliseconds(50).default(1_000),
});

/** A namespace: the name of a schema, and of a folder in a bucket. */
export const namespace = z
  .string({ error: 'write the namespace as text' })
  .regex(/^[a-z][a-z0-9_]{0,47}$/, { error: 'write up to 48 of a-z, 0-9 and _, a letter first' })
  .refine((text) => !/^(?:pg_|information_schema$)/.test(text), {
    error: 'is a schema of Postgres itself: write another name, for example "ccv"',
  });

/** A URI of Postgres, checked as far as text can be. */
export const connectionUri = text('postgresql://user:password@host:5432/database').superRefine((uri, context) => {
  for (const fault of postgresUriFaults(uri)) context.addIssue(fault);
});

const postgres = z.strictObject({
  URI: connectionUri.optional(),
  /** Default: `Namespace`. */
  Schema: namespace.optional(),
  MaxOpenConnections: whole(2, 'the number of connections').default(20),
  MaxIdleConnections: whole(0, 'the number of connections').default(10),
  ConnMaxLifetime: secondsAsMs().default(0),
  ConnMaxIdleTime: secondsAsMs().default(300_000),
  IdleInTxSessionTimeout: secondsAsMs().default(60_000),
  LockTimeout: secondsAsMs().default(30_000),
  StatementTimeout: secondsAsMs().default(60_000),
  ConnectTimeout: secondsAsMs().default(5_000),
  /** Records are removed this long after their ingestion, once the cold tier holds them; 0 = kept for good. */
  Retention: ageAsMs().default(0),
});

const readCondition = z.strictObject({
  Type: oneOf(['always', 'never', 'time_range', 'recent', 'older']),
  StartUnix: unixTimeAsMs.optional(),
  EndUnix: unixTimeAsMs.optional(),
  LookbackWindowSeconds: whole(1, 'the window in seconds').optional(),
});

const backendFields = {
  Type: oneOf(BACKEND_TYPES),
  Memory: memory.optional(),
  Postgres: postgres.optional(),
  S3: s3.optional(),
};

/** One backend of the Sink. */
const sinkBackend = z.strictObject({
  Name: name('warm').optional(),
  ...backendFields,
  /**
   * A write is acknowledged only when every required backend holds it. Default: the durable ones are, except a cold one
   * beside Postgres.
   */
  Required: flag.optional(),
  ReadCondition: readCondition.optional(),
});

/** `[Storage]`: either one backend or a Sink of several. */
export const storageSchema = z.strictObject({
  Strategy: oneOf(['single', 'sink']).default('sink'),
  Single: z.strictObject(backendFields).optional(),
  Sink: z
    .strictObject({
      Storages: tables(sinkBackend, 'Storage.Sink.Storages').min(1, {
        error: 'write at least one [[Storage.Sink.Storages]]',
      }),
      /** Between two looks for records past `Postgres.Retention`. */
      PruneInterval: secondsAsMs(0.1).default(60_000),
    })
    .optional(),
});

export type StorageSection = z.output<typeof storageSchema>;
/** One backend, of a Sink or alone: the keys of both. */
export type BackendSection = NonNullable<StorageSection['Single']>;
export type SinkBackendSection = z.output<typeof sinkBackend>;
export type ReadConditionSection = z.output<typeof readCondition>;
export type MemorySection = z.output<typeof memory>;
export type PostgresSection = z.output<typeof postgres>;

/** A `Memory` table without keys. */
export const MEMORY_DEFAULTS: MemorySection = memory.parse({});
/** A `Postgres` table without keys. */
export const POSTGRES_DEFAULTS: PostgresSection = postgres.parse({});
