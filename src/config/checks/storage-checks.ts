import type { ConfigProblem } from '../problems.js';
import type { Config } from '../schema/schema.js';
import type { BackendSection, SinkBackendSection } from '../schema/storage-schema.js';
import { coldRole, flushIntervalMs } from './cold-role.js';
import { coldLagMs, readGaps, storedAges } from './read-gaps.js';
import { readOverlaps } from './read-overlaps.js';
import { s3Checks } from './s3-checks.js';
import { samePlaces } from './same-places.js';
import { unique } from './unique.js';

const STORAGES = 'Storage.Sink.Storages';
/** The table that belongs to a type. */
const TABLES = { memory: 'Memory', postgres: 'Postgres', s3: 'S3' } as const;

/** Everything about `[Storage]` that is right field by field but wrong together. */
export function storageChecks(config: Config): ConfigProblem[] {
  const { Storage } = config;
  if (Storage.Strategy === 'single')
    return [
      ...single(Storage.Single),
      ...(config.Migration ? [{ path: 'Migration', message: 'needs Strategy = "sink" with both databases' }] : []),
    ];
  if (!Storage.Sink)
    return [{ path: 'Storage.Sink', message: 'Strategy = "sink" needs [[Storage.Sink.Storages]] tables' }];
  const backends = Storage.Sink.Storages;
  const conditions = backends.flatMap((each, index) => condition(each, `${STORAGES}[${index}].ReadCondition`));
  const isNeverRead = backends.every((each) => each.ReadCondition?.Type === 'never');
  return [
    ...backends.flatMap((each, index) => backend(each, backends, `${STORAGES}[${index}]`)),
    ...conditions,
    ...unique(backends, STORAGES, 'Name', (each) => each.Name),
    ...samePlaces(backends, STORAGES),
    ...(isNeverRead
      ? [{ path: STORAGES, message: 'every backend is never read: give at least one another ReadCondition' }]
      : []),
    ...retention(config, backends),
    ...migration(config, backends),
    // of conditions that are broken by themselves nothing can be said together
    ...(conditions.length > 0 || isNeverRead ? [] : [...gaps(backends), ...readOverlaps(backends, STORAGES)]),
  ];
}

function migration({ Migration }: Config, backends: readonly SinkBackendSection[]): ConfigProblem[] {
  if (!Migration) return [];
  const { From, To, GoIndexer } = Migration;
  const problem = (key: string, message: string): ConfigProblem => ({ path: `Migration.${key}`, message });
  const faultOf = (key: 'From' | 'To'): ConfigProblem[] => {
    const section = backends.find(({ Name }) => Name === Migration[key]);
    if (section?.Type === 'postgres') return [];
    const fault = section ? `is a backend of Type = "${section.Type}"` : `no backend has the name "${Migration[key]}"`;
    return [problem(key, `${fault}: write the Name of a Postgres backend`)];
  };
  if (GoIndexer)
    return [
      ...faultOf('To'),
      ...(From === undefined ? [] : [problem('From', 'has no meaning beside GoIndexer: leave one of them out')]),
      ...(GoIndexer.URI
        ? []
        : [problem('GoIndexer.URI', 'write the URI of its database, here or in the secrets file')]),
    ];
  if (From === undefined)
    return [...faultOf('To'), problem('From', 'write the Name of the old Postgres backend, or a table GoIndexer')];
  return [
    ...faultOf('From'),
    ...faultOf('To'),
    ...(From === To ? [problem('To', 'is the same backend as From: write the Name of the new one')] : []),
  ];
}

function single(section: BackendSection | undefined): ConfigProblem[] {
  if (!section) return [{ path: 'Storage.Single', message: 'Strategy = "single" needs a [Storage.Single] table' }];
  const problems = backend(section, [section], 'Storage.Single');
  if (section.Postgres?.Retention)
    problems.push({
      path: 'Storage.Single.Postgres.Retention',
      message: 'nothing else holds what this would remove: write 0',
    });
  return problems;
}

function backend(
  section: BackendSection & Pick<SinkBackendSection, 'Required'>,
  all: readonly BackendSection[],
  path: string,
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (section.Type === 'postgres' && !section.Postgres?.URI)
    problems.push({
      path: `${path}.Postgres.URI`,
      message: 'write the connection URI here, in the secrets file or in the environment',
    });
  for (const [type, table] of Object.entries(TABLES))
    if (type !== section.Type && section[table])
      problems.push({ path: `${path}.${table}`, message: `has no meaning for Type = "${section.Type}"` });
  if (section.Type === 's3') problems.push(...s3Checks(section.S3, longestStatementMs(all), `${path}.S3`));
  if (coldRole(section, all) === 'follower' && section.Required === true)
    problems.push({
      path: `${path}.Required`,
      message:
        'a cold backend beside Postgres takes records minutes after they are acknowledged, so none can wait for ' +
        'it: leave it out',
    });
  return problems;
}

/** The longest that a query of the system of record may take; 0: none has a limit, or there is none. */
export function longestStatementMs(all: readonly BackendSection[]): number {
  return Math.max(0, ...all.map(({ Postgres }) => Postgres?.StatementTimeout ?? 0));
}

function retention({ Scheduler }: Config, backends: readonly SinkBackendSection[]): ConfigProblem[] {
  const intervals = backends.flatMap((each) => flushIntervalMs(each, backends) ?? []);
  const longestFlushMs = Math.max(0, ...intervals);
  const windowMs = Scheduler.VerificationVisibilityWindow;
  return backends.flatMap((each, index): ConfigProblem[] => {
    const keptMs = each.Postgres?.Retention ?? 0;
    if (keptMs === 0) return [];
    const path = `${STORAGES}[${index}].Postgres.Retention`;
    const problems: ConfigProblem[] = [];
    if (intervals.length === 0)
      problems.push({
        path,
        message: 'no cold backend holds what this would remove: add one of Type = "s3", or write 0 to keep everything',
      });
    if (keptMs < windowMs)
      problems.push({
        path,
        message: `must be at least Scheduler.VerificationVisibilityWindow (${windowMs / 1_000} s)`,
      });
    if (intervals.length > 0 && keptMs < coldLagMs(longestFlushMs))
      problems.push({
        path,
        message:
          `must be at least ${coldLagMs(longestFlushMs) / 1_000} s: the cold backend has a record only so long after ` +
          `its ingestion (FlushInterval is ${longestFlushMs / 1_000} s)`,
      });
    return problems;
  });
}

function gaps(backends: readonly SinkBackendSection[]): ConfigProblem[] {
  return readGaps(
    backends.map((section) => ({ section, ages: storedAges(section, flushIntervalMs(section, backends)) })),
  );
}

function condition({ ReadCondition }: SinkBackendSection, path: string): ConfigProblem[] {
  if (!ReadCondition) return [];
  const { Type, StartUnix, EndUnix, LookbackWindowSeconds } = ReadCondition;
  const rolling = Type === 'recent' || Type === 'older';
  const problems: ConfigProblem[] = [];
  if (rolling && LookbackWindowSeconds === undefined)
    problems.push({
      path: `${path}.LookbackWindowSeconds`,
      message: `Type = "${Type}" needs the length of its window`,
    });
  if (!rolling && LookbackWindowSeconds !== undefined)
    problems.push({ path: `${path}.LookbackWindowSeconds`, message: `has no meaning for Type = "${Type}"` });
  if (Type !== 'time_range' && (StartUnix !== undefined || EndUnix !== undefined))
    problems.push({ path, message: `StartUnix and EndUnix have no meaning for Type = "${Type}"` });
  if (StartUnix !== undefined && EndUnix !== undefined && StartUnix > EndUnix)
    problems.push({ path: `${path}.EndUnix`, message: 'must not lie before StartUnix' });
  return problems;
}
