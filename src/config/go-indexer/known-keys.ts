/** The place of a key of the Go indexer here. */
export type GoKey = {
  /** As its file spells it, `[]` behind a list, for example `Verifier[].Since`. */
  readonly path: string;
  readonly note?: string;
} & (
  | {
      readonly is: 'same';
      /** 0 and an empty text stand for the default there. */
      readonly emptyIsDefault?: true;
      /** The only `Type` of its table that it has a meaning for. */
      readonly onlyFor?: 'aggregator' | 'rest';
    }
  | { readonly is: 'moved'; readonly to: string; readonly note: string }
  | { readonly is: 'merged'; readonly note: string }
  | { readonly is: 'none'; readonly note: string }
);

const METRICS = 'telemetry is fetched, not sent: scrape /metrics of the admin port';
const PROFILES = "profiles are not sent: Node.js' own tools take them (--cpu-prof, --heap-prof)";
const CLOCK = "this machine's clock is used: keep it right, an aggregator refuses requests that are 15 s off";
const NAME_LABEL = 'for logs, metrics and /status';

const same = (...paths: string[]): GoKey[] => paths.map((path) => ({ path, is: 'same' }));
const none = (note: string, ...paths: string[]): GoKey[] => paths.map((path) => ({ path, is: 'none', note }));
/** 0 or an empty text is the default. */
const optional = (note: string, ...paths: string[]): GoKey[] =>
  paths.map((path) => ({ path, is: 'same', note, emptyIsDefault: true }));

/**
 * Every key that the Go indexer's code and its example have, and the place of each here. The check of a configuration,
 * its notices, `config check --explain` and the operating page all follow this list. Source: `indexer/pkg/config`,
 * `common/monitoring` and `indexer/config.example.toml` of smartcontractkit/chainlink-ccv.
 */
export const GO_KEYS: readonly GoKey[] = [
  {
    path: 'GeneratedConfigPath',
    is: 'merged',
    note: 'its IssuerAddresses are added to the [[Verifier]] of equal Name, each once',
  },
  { path: 'LogLevel', is: 'moved', to: 'Log.Level', note: 'dpanic, panic and fatal are error' },
  ...none(PROFILES, 'pyroscope_url', 'Monitoring.Pyroscope.Enabled', 'Monitoring.Pyroscope.URL'),
  ...none('messages go from source to task through the database: there is no buffer to size', 'MergeBufferSize'),
  ...none('LogLevel at the top is the one that counts, as there', 'Monitoring.LogLevel'),
  ...none(METRICS, 'Monitoring.Enabled', 'Monitoring.Type'),
  ...none(
    METRICS,
    ...[
      ...['Enabled', 'InsecureConnection', 'CACertFile', 'OtelExporterGRPCEndpoint', 'OtelExporterHTTPEndpoint'],
      ...['LogStreamingEnabled', 'LogStreamingLevel', 'MetricReaderInterval', 'TraceSampleRatio'],
      ...['TraceBatchTimeout', 'TelemetryAttributes'],
    ].map((key) => `Monitoring.Beholder.${key}`),
  ),
  { path: 'Discoveries[].Address', is: 'same' },
  ...optional(NAME_LABEL, 'Discoveries[].Name'),
  { path: 'Discoveries[].Since', is: 'same', note: 'the first sequence, while none is stored for the source' },
  ...same('Discoveries[].PollInterval', 'Discoveries[].Timeout', 'Discoveries[].APIKey', 'Discoveries[].Secret'),
  ...same('Discoveries[].InsecureConnection'),
  ...optional('bytes', 'Discoveries[].MaxResponseBytes'),
  ...none(CLOCK, 'Discoveries[].NtpServer'),
  ...none('sources hand messages on through the database: there is no channel', 'Discoveries[].MessageChannelSize'),
  ...same('Verifier[].Type', 'Verifier[].IssuerAddresses'),
  ...optional(`${NAME_LABEL}; verifierName in answers`, 'Verifier[].Name'),
  ...optional('message ids', 'Verifier[].BatchSize'),
  ...same('Verifier[].MaxBatchWaitTime'),
  ...optional('bytes', 'Verifier[].MaxResponseBytes'),
  ...['Address', 'APIKey', 'Secret', 'InsecureConnection'].map(
    (key): GoKey => ({ path: `Verifier[].${key}`, is: 'same', onlyFor: 'aggregator' }),
  ),
  ...none('verifications are asked for by message id, from no sequence on', 'Verifier[].Since'),
  { path: 'Verifier[].BaseURL', is: 'same', onlyFor: 'rest' },
  ...optional('of one request', 'Verifier[].RequestTimeout'),
  ...same('Scheduler.TickerInterval', 'Scheduler.VerificationVisibilityWindow'),
  ...same('Scheduler.BaseDelay', 'Scheduler.MaxDelay'),
  ...optional('0 is no limit there; here the rest waits in storage', 'Scheduler.MaxHeapSize'),
  ...same('Pool.ConcurrentWorkers', 'Pool.WorkerTimeout'),
  ...optional('messages read at a time', 'Pool.HydrationBatchSize'),
  { path: 'API.ListenPort', is: 'same', note: '0 is 8100 there; here the system chooses' },
  ...same('API.TrustedProxies', 'API.RateLimit.Enabled'),
  ...same('Storage.Strategy', 'Storage.Single.Type'),
  ...optional('the secrets file or the environment may have it', 'Storage.Single.Postgres.URI'),
  ...same('Storage.Single.Postgres.MaxOpenConnections', 'Storage.Single.Postgres.MaxIdleConnections'),
  { path: 'Storage.Single.Postgres.ConnMaxLifetime', is: 'same', note: '0 is 30 min there; here no limit' },
  { path: 'Storage.Single.Postgres.ConnMaxIdleTime', is: 'same', note: '0 is 5 min there; here no limit' },
  ...same('Storage.Single.Postgres.IdleInTxSessionTimeout', 'Storage.Single.Postgres.LockTimeout'),
];

/** Keys of the Go indexer right below a path such as `Verifier[]`, tables among them. */
export function goKeysBelow(pattern: string): readonly string[] {
  const prefix = pattern === '' ? '' : `${pattern}.`;
  const below = GO_KEYS.filter(({ path }) => path.startsWith(prefix)).map(({ path }) => path.slice(prefix.length));
  return [...new Set(below.map((rest) => rest.split(/[.[]/, 1)[0] ?? ''))];
}

/** True for a path below which there are keys of the Go indexer, and none that has a meaning here. */
export function isGoTable(pattern: string): boolean {
  const below = GO_KEYS.filter(({ path }) => path.startsWith(`${pattern}.`));
  return below.length > 0 && below.every(({ is }) => is === 'none');
}
