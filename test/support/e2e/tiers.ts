import type { TomlTable } from 'smol-toml';
import type { S3TestServer } from '../s3/server.js';
import { startCli } from './cli.js';
import { clockEnvironment, type WallClock } from './clock.js';
import { hotAndWarm, type RunningService } from './service.js';

/** The shortest that the cross-checks allow, seconds: 30 and a quarter more than `FlushInterval`. */
export const RETENTION_SECONDS = 31;

/** An `S3` table for a bucket of a test server, with little patience. */
export function bucketTable(server: S3TestServer, bucket: string, settings: TomlTable = {}): TomlTable {
  return {
    Endpoint: server.endpoint,
    Bucket: bucket,
    Region: server.region,
    ForcePathStyle: true,
    AccessKeyID: server.credentials.accessKeyId,
    SecretAccessKey: server.credentials.secretAccessKey,
    MaxAttempts: 2,
    RequestTimeout: 3,
    ...PACE,
    ...settings,
  };
}

/** An `S3` table for a directory. */
export function directoryTable(directory: string): TomlTable {
  return { Directory: directory, ...PACE };
}

/** Flushed and looked at many times a second; what a dead process left behind is taken over soon. */
const PACE: TomlTable = {
  FlushInterval: 0.2,
  RefreshInterval: 100,
  TakeoverDelay: 1,
  CompactInterval: 1,
  CompactBytes: 64 * 1024 * 1024,
  FlushBytes: 1024 * 1024,
  Grace: 120,
  VacuumInterval: 2,
};

/** Hot for seconds, warm for half a minute, cold for good. */
export function threeTiers(options: {
  readonly namespace: string;
  readonly uri: string;
  /** Of the worker's own table; see `bucketTable` and `directoryTable`. */
  readonly s3: TomlTable;
  readonly chains?: readonly TomlTable[];
  readonly verifiers?: readonly TomlTable[];
  /** How long memory keeps records, seconds. */
  readonly hotSeconds?: number;
  readonly postgres?: TomlTable;
}): TomlTable {
  const { hotSeconds = 10 } = options;
  const config = hotAndWarm(options);
  return {
    ...config,
    Scheduler: { ...(config['Scheduler'] as TomlTable), VerificationVisibilityWindow: RETENTION_SECONDS },
    Storage: {
      Strategy: 'sink',
      Sink: {
        // shorter than a read of the cold tier on a busy machine, the floor would move under every one of its attempts
        PruneInterval: 1,
        Storages: [
          {
            Name: 'hot',
            Type: 'memory',
            ReadCondition: { Type: 'recent', LookbackWindowSeconds: hotSeconds },
            Memory: { TTL: hotSeconds, CleanupInterval: 0.2, MaxStaleness: 5_000 },
          },
          {
            Name: 'warm',
            Type: 'postgres',
            Postgres: { URI: options.uri, Retention: RETENTION_SECONDS, StatementTimeout: 20, ...options.postgres },
          },
          { Name: 'cold', Type: 's3', S3: options.s3 },
        ],
      },
    },
  };
}

/** Starts a service whose wall clock is another, and resolves when it says that it has started. */
export async function startOnClock(
  role: 'start' | 'worker' | 'api',
  configFile: string,
  clock: WallClock | null,
): Promise<RunningService> {
  const cli = startCli([role, '--config', configFile], clock === null ? {} : clockEnvironment(clock));
  const [line] = await cli.printed(/^\{.*"msg":"started".*\}$/m);
  const { api, admin } = JSON.parse(line) as { api: string | null; admin: string };
  return { cli, apiUrl: api ?? '', adminUrl: admin };
}
