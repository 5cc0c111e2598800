import type { ConfigProblem } from './problems.js';
import { readGaps, storedAges } from './read-gaps.js';
import type { Config } from './schema.js';
import type { SinkBackendSection } from './storage-schema.js';

/** Everything that is right field by field but wrong together. */
export function crossChecks(config: Config): ConfigProblem[] {
  return [...sources(config), ...verifiers(config), ...scheduling(config), ...servers(config), ...storage(config)];
}

function sources(config: Config): ConfigProblem[] {
  const problems = [
    ...unique(config.Chain, 'Chain', 'Name', (chain) => chain.Name),
    ...unique(config.Chain, 'Chain', 'Selector', (chain) => String(chain.Selector)),
  ];
  config.Chain.forEach((chain, index) => {
    if (chain.RpcUrls.every((url) => url.startsWith('ws')))
      problems.push({
        path: `Chain[${index}].RpcUrls`,
        message: 'add at least one http(s) URL: ws(s) URLs only wake the watcher up',
      });
  });
  config.Discoveries.forEach((discovery, index) => {
    if (discovery.Timeout <= discovery.PollInterval)
      problems.push({
        path: `Discoveries[${index}].Timeout`,
        message: `must be longer than PollInterval (${discovery.PollInterval} ms)`,
      });
    problems.push({
      path: `Discoveries[${index}]`,
      message:
        'this version does not read aggregators yet: leaving one out silently would hide its messages, so remove it knowingly and list the chains under [[Chain]]',
    });
  });
  return problems;
}

function verifiers(config: Config): ConfigProblem[] {
  const problems = unique(config.Verifier, 'Verifier', 'Name', (verifier) => verifier.Name);
  config.Verifier.forEach((verifier, index) => {
    if (verifier.Type === 'rest' && verifier.BaseURL === undefined)
      problems.push({ path: `Verifier[${index}].BaseURL`, message: 'a verifier of Type = "rest" needs its BaseURL' });
    if (verifier.Type === 'aggregator')
      problems.push({ path: `Verifier[${index}].Type`, message: 'this version reads only verifiers of Type = "rest"' });
  });
  return problems;
}

function scheduling({ Scheduler }: Config): ConfigProblem[] {
  if (Scheduler.BaseDelay <= Scheduler.MaxDelay) return [];
  return [{ path: 'Scheduler.MaxDelay', message: `must be at least BaseDelay (${Scheduler.BaseDelay} ms)` }];
}

function servers({ API, Admin }: Config): ConfigProblem[] {
  if (API.ListenPort === 0 || API.ListenPort !== Admin.ListenPort) return [];
  return [{ path: 'Admin.ListenPort', message: `must differ from API.ListenPort (${API.ListenPort})` }];
}

function storage(config: Config): ConfigProblem[] {
  const { Storage } = config;
  if (Storage.Strategy === 'single') {
    if (!Storage.Single)
      return [{ path: 'Storage.Single', message: 'Strategy = "single" needs a [Storage.Single] table' }];
    const problems = backend(Storage.Single, 'Storage.Single');
    if (Storage.Single.Postgres?.Retention)
      problems.push({
        path: 'Storage.Single.Postgres.Retention',
        message: 'nothing else holds what this would remove: write 0',
      });
    return problems;
  }
  if (!Storage.Sink)
    return [{ path: 'Storage.Sink', message: 'Strategy = "sink" needs [[Storage.Sink.Storages]] tables' }];
  const backends = Storage.Sink.Storages;
  const problems = [
    ...backends.flatMap((each, index) => [
      ...backend(each, `Storage.Sink.Storages[${index}]`),
      ...condition(each, `Storage.Sink.Storages[${index}].ReadCondition`),
    ]),
    ...unique(backends, 'Storage.Sink.Storages', 'Name', (each) => each.Name),
  ];
  if (backends.every((each) => each.ReadCondition?.Type === 'never'))
    problems.push({
      path: 'Storage.Sink.Storages',
      message: 'every backend is never read: give at least one another ReadCondition',
    });
  return [...problems, ...retention(config, backends), ...gaps(backends)];
}

/** What the cold tier's own table says about its flushes; null: the backend is not cold. */
function flushIntervalMs(_backend: SinkBackendSection): number | null {
  // this version opens no cold backend
  return null;
}

function retention({ Scheduler }: Config, backends: readonly SinkBackendSection[]): ConfigProblem[] {
  const longestFlushMs = Math.max(0, ...backends.map((each) => flushIntervalMs(each) ?? 0));
  const hasCold = backends.some((each) => flushIntervalMs(each) !== null);
  return backends.flatMap((each, index): ConfigProblem[] => {
    const keptMs = each.Postgres?.Retention ?? 0;
    if (keptMs === 0) return [];
    const path = `Storage.Sink.Storages[${index}].Postgres.Retention`;
    if (!hasCold)
      return [
        { path, message: 'no cold backend holds what this would remove: add one, or write 0 to keep everything' },
      ];
    const windowMs = Scheduler.VerificationVisibilityWindow;
    if (keptMs < windowMs)
      return [{ path, message: `must be at least Scheduler.VerificationVisibilityWindow (${windowMs / 1_000} s)` }];
    if (keptMs < longestFlushMs)
      return [
        { path, message: `must be at least the FlushInterval of the cold backend (${longestFlushMs / 1_000} s)` },
      ];
    return [];
  });
}

function gaps(backends: readonly SinkBackendSection[]): ConfigProblem[] {
  if (backends.some((each, index) => condition(each, String(index)).length > 0)) return [];
  if (backends.every((each) => each.ReadCondition?.Type === 'never')) return [];
  return readGaps(backends.map((section) => ({ section, ages: storedAges(section, flushIntervalMs(section)) })));
}

function backend(section: Pick<SinkBackendSection, 'Type' | 'Memory' | 'Postgres'>, path: string): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (section.Type === 'postgres' && !section.Postgres?.URI)
    problems.push({
      path: `${path}.Postgres.URI`,
      message: 'write the connection URI here, in the secrets file or in the environment',
    });
  if (section.Type === 'memory' && section.Postgres)
    problems.push({ path: `${path}.Postgres`, message: 'has no meaning for Type = "memory"' });
  if (section.Type === 'postgres' && section.Memory)
    problems.push({ path: `${path}.Memory`, message: 'has no meaning for Type = "postgres"' });
  return problems;
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

function unique<T>(
  entries: readonly T[],
  table: string,
  field: string,
  key: (entry: T) => string | undefined,
): ConfigProblem[] {
  const seen = new Map<string, number>();
  return entries.flatMap((entry, index): ConfigProblem[] => {
    const value = key(entry);
    if (value === undefined) return [];
    const first = seen.get(value);
    if (first === undefined) seen.set(value, index);
    return first === undefined
      ? []
      : [{ path: `${table}[${index}].${field}`, message: `${JSON.stringify(value)} is taken by ${table}[${first}]` }];
  });
}
