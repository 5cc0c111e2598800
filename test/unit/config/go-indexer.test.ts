import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify, type TomlTable } from 'smol-toml';
import { afterAll, describe, expect, it, test } from 'vitest';
import { GO_KEYS } from '../../../src/config/go-indexer/known-keys.js';
import { type CheckedConfig, checkConfig, parseConfig } from '../../../src/config/load.js';
import { ConfigError, formatProblem } from '../../../src/config/problems.js';

const FIXTURES = join(import.meta.dirname, '../../fixtures/go-indexer');
const EXAMPLE = join(FIXTURES, 'example.toml');
const EVERY_KEY = join(FIXTURES, 'every-key.toml');
const SECRETS = join(FIXTURES, 'secrets.toml');

const directory = mkdtempSync(join(tmpdir(), 'ccv-go-config-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;
function write(content: string | TomlTable, name = `${files++}.toml`): string {
  const file = join(directory, name);
  writeFileSync(file, typeof content === 'string' ? content : stringify(content), { mode: 0o600 });
  return file;
}

/** A small configuration of the Go indexer. */
const small = (more: TomlTable = {}): TomlTable => ({
  Discoveries: [{ Address: 'aggregator:50051', PollInterval: 500, Timeout: 5_000, NtpServer: 'ntp.acme.io' }],
  Verifier: [
    { Type: 'aggregator', Address: 'aggregator:50051', IssuerAddresses: [`0x${'11'.repeat(20)}`] },
    { Type: 'rest', BaseURL: 'https://tokens.acme.io/v1', IssuerAddresses: [`0x${'22'.repeat(20)}`] },
  ],
  Storage: { Strategy: 'single', Single: { Type: 'postgres', Postgres: { URI: 'postgresql://u:a-long-pass@db/i' } } },
  ...more,
});

function check(more: TomlTable, secrets?: string): CheckedConfig {
  return checkConfig({ file: write(small(more)), secretsFile: secrets === undefined ? undefined : write(secrets) });
}

function problems(more: TomlTable, secrets?: string): readonly string[] {
  try {
    check(more, secrets);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return thrown.problems.map(formatProblem);
  }
}

const pathsOf = (rows: readonly { readonly path: string }[]) =>
  new Set(rows.map(({ path }) => path.replace(/\[\d+\]/g, '[]')));

describe('the example of the Go indexer', () => {
  it('is taken as it is, with its names', () => {
    const { config, notices } = checkConfig({ file: EXAMPLE });
    expect(config.Discoveries).toMatchObject([
      { Name: 'aggregator:50051', Since: 0n, PollInterval: 1, Timeout: 5, MaxResponseBytes: 4_194_304 },
    ]);
    expect(config.Verifier.map(({ Name }) => Name)).toEqual(['aggregator:50051', 'http://verifier:8080/v1']);
    expect(config.Storage.Single?.Postgres).toMatchObject({ MaxIdleConnections: 5, LockTimeout: 30_000 });
    expect(notices.map(({ path }) => path)).toEqual([
      'Monitoring.LogLevel',
      'Monitoring.Pyroscope',
      'Monitoring.Beholder',
      'Discoveries[0].MessageChannelSize',
      'Discoveries[0].NtpServer',
      'Verifier[0].Since',
    ]);
  });
});

describe('every key of the Go indexer', () => {
  const checked = checkConfig({ file: EVERY_KEY, secretsFile: SECRETS });
  const { config } = checked;

  it('is in the fixture, and explained', () => {
    expect(GO_KEYS.map(({ path }) => path).filter((path) => !pathsOf(checked.explained).has(path))).toEqual([]);
  });

  it('that is known to have no meaning is a notice, and every other is none', () => {
    const without = GO_KEYS.filter(({ is }) => is === 'none').map(({ path }) => path);
    const rows = checked.explained.filter(({ became }) => became === 'nothing');
    expect([...pathsOf(rows)].sort()).toEqual([...without, 'Verifier[].APIKey', 'Verifier[].Secret'].sort());
    const told = checked.notices.map(formatProblem).join('\n');
    for (const path of pathsOf(rows)) expect(told).toContain(path.split('.').at(-1));
  });

  it('has its value here', () => {
    expect(config.Log.Level).toBe('warn');
    expect(config.Discoveries).toMatchObject([
      { Name: 'aggregator-1:50051', Since: 1_200n, APIKey: '5a1e7d9c-4b3f-4a88-9c10-2f6b8d0e1a23' },
      { Name: 'second', MaxResponseBytes: 8_388_608, APIKey: '' },
    ]);
    expect(config.Verifier).toMatchObject([
      { Name: 'Committee (Primary)', RequestTimeout: 10_000, InsecureConnection: true, MaxResponseBytes: 4_194_304 },
      { Name: 'Tokens', BatchSize: 100, APIKey: '', Secret: '' },
    ]);
    expect(config.Verifier[0]?.BaseURL).toBeUndefined();
    expect(config.Scheduler).toMatchObject({ MaxHeapSize: 100_000, VerificationVisibilityWindow: 28_800_000 });
    expect(config.Pool.HydrationBatchSize).toBe(1_000);
    expect(config.Storage.Single?.Postgres).toMatchObject({
      URI: 'postgresql://indexer:another-long-pass@indexer-db:5432/indexer?sslmode=disable',
      ConnMaxLifetime: 3_600_000,
      ConnMaxIdleTime: 300_000,
    });
  });

  it('has its addresses from the generated file, each once, and names without a verifier are told', () => {
    expect(config.Verifier.map(({ IssuerAddresses }) => IssuerAddresses)).toEqual([
      [`0x${'ab'.repeat(20)}`, `0x${'33'.repeat(20)}`],
      [`0x${'44'.repeat(20)}`],
    ]);
    expect(checked.warnings.map(formatProblem).join('\n')).toContain(
      'has addresses for "Comittee (Primary)", and no [[Verifier]] has that Name (did you mean "Committee (Primary)"?)',
    );
  });

  it('shows no secret where it is explained', () => {
    const shown = JSON.stringify([checked.explained, checked.notices, checked.warnings]);
    const secrets = [...readFileSync(SECRETS, 'utf8').matchAll(/(?:APIKey|Secret) = "(.*)"/g)].map(([, text]) => text);
    expect(secrets).toHaveLength(6);
    for (const secret of [...secrets, 'another-long-pass']) expect(shown).not.toContain(secret);
    expect(checked.explained).toContainEqual({
      path: 'Verifier[0].Secret',
      value: '***',
      became: 'the same key',
      note: '',
    });
  });
});

describe('refused, all at once', () => {
  it('typos, with the nearest key of either program', () => {
    expect(
      problems({
        Discoveries: [{ Address: 'a:1', NtpSever: 'x', PolInterval: 1 }],
        Monitoring: { Beholdr: {}, Beholder: { OtelExporterGRPCEndpont: '' } },
        LogLevl: 'info',
        GeneratedConfigPth: '',
      }).map((problem) => problem.replace(/ \(found.*/, '')),
    ).toEqual([
      'Monitoring.Beholdr: unknown key; did you mean Beholder?',
      'Monitoring.Beholder.OtelExporterGRPCEndpont: unknown key; did you mean OtelExporterGRPCEndpoint?',
      'Discoveries[0].NtpSever: unknown key; did you mean NtpServer?',
      'Discoveries[0].PolInterval: unknown key; did you mean PollInterval?',
      'LogLevl: unknown key; did you mean LogLevel?',
      'GeneratedConfigPth: unknown key; did you mean GeneratedConfigPath?',
    ]);
  });

  it('a level that no logger has, and a table that is none', () => {
    expect(problems({ LogLevel: 'loud', Monitoring: 5 })).toEqual([
      'LogLevel: write one of "debug", "info", "warn", "error" (found "loud")',
      'Monitoring: write a table here: [Monitoring] or { … } (found 5)',
    ]);
  });

  it('places in the secrets file that the configuration does not have', () => {
    const secrets =
      '[Verifier.2]\nSecret = "left-over-1"\n[Discoveries.1]\nSecret = "left-over-2"\n[Chain.0]\nName = "a"';
    const found = problems({}, secrets);
    expect(found).toEqual(
      expect.arrayContaining([
        'Verifier.2: is in the secrets file, and the configuration has 2, of places 0 to 1: correct the place',
        'Discoveries.1: is in the secrets file, and the configuration has one, of place 0: correct the place',
        'Chain.0: is in the secrets file, and the configuration has none: correct the place',
      ]),
    );
    expect(found.join('\n')).not.toMatch(/left-over/);
  });

  it('a generated file that is missing, or has other keys', () => {
    expect(problems({ GeneratedConfigPath: 'nowhere.toml', LogLevel: 'loud' })).toEqual([
      expect.stringMatching(/^GeneratedConfigPath \(.*nowhere\.toml\) \(file\): there is no such file; correct Gen/),
      expect.stringMatching(/^LogLevel/),
    ]);
    write('[[Verifier]]\nName = "a"\nIssuerAdresses = ["0x11"]', 'mistyped.toml');
    expect(problems({ GeneratedConfigPath: 'mistyped.toml' })).toEqual([
      expect.stringMatching(/Verifier\[0\]\.IssuerAdresses: unknown key; did you mean IssuerAddresses\?/),
    ]);
  });
});

test('a table without a file cannot name a generated one', () => {
  expect(() => parseConfig(small({ GeneratedConfigPath: 'generated.toml' }), 'made')).toThrow(
    'GeneratedConfigPath: names a file beside a configuration file',
  );
});

test('a default name is explained beside its table', () => {
  const paths = check({}).explained.map(({ path }) => path);
  expect(paths.indexOf('Discoveries[0].Name')).toBeLessThan(paths.indexOf('Verifier[0].Type'));
});

describe('durations', () => {
  const single = (Postgres: TomlTable) => ({
    Storage: {
      Strategy: 'single',
      Single: { Type: 'postgres', Postgres: { URI: 'postgresql://u@db/i', ...Postgres } },
    },
  });

  it.each<[string | number, number]>([
    ['1h', 3_600_000],
    ['1h30m', 5_400_000],
    ['1m0.5s', 60_500],
    ['1500ms', 1_500],
    [90, 90_000],
    ['0', 0],
  ])('%s of ConnMaxLifetime', (given, ms) => {
    const { config } = check(single({ ConnMaxLifetime: given }));
    expect(config.Storage.Single?.Postgres?.ConnMaxLifetime).toBe(ms);
  });

  it('are text in every key of a duration, whatever its unit', () => {
    const { config } = check({
      Scheduler: { BaseDelay: '2s', MaxDelay: '1m', VerificationVisibilityWindow: '1h' },
      Pool: { WorkerTimeout: '45s' },
    });
    expect(config.Scheduler).toMatchObject({
      BaseDelay: 2_000,
      MaxDelay: 60_000,
      VerificationVisibilityWindow: 3_600_000,
    });
    expect(config.Pool.WorkerTimeout).toBe(45_000);
  });

  it.each([
    ['1 h', 'write a duration such as "1h30m" or "500ms", or a number of seconds (found "1 h")'],
    ['an hour', 'write a duration such as'],
    ['-1h', 'write a duration such as'],
    ['1d', 'write a duration such as'],
    ['600h2000000h', 'write the duration in seconds, at most'],
    ['10us', 'is less than a millisecond'],
  ])('%s is none', (given, expected) => {
    expect(problems(single({ ConnMaxLifetime: given })).join('\n')).toContain(
      `Storage.Single.Postgres.ConnMaxLifetime: ${expected}`,
    );
  });
});

describe('a name that is not given', () => {
  const namesOf = (...verifiers: TomlTable[]) =>
    check({
      Verifier: verifiers.map((each) => ({ IssuerAddresses: [`0x${'11'.repeat(20)}`], ...each })),
    }).config.Verifier.map(({ Name }) => Name);

  test('is that of the place, equal ones are numbered', () => {
    const aggregator = { Type: 'aggregator', Address: 'a:1' };
    expect(namesOf(aggregator, { ...aggregator, Name: '  ' }, { ...aggregator, Name: 'mine' })).toEqual([
      'a:1',
      'a:1 #2',
      'mine',
    ]);
  });

  test('has no credentials', () => {
    expect(
      namesOf(
        { Type: 'rest', BaseURL: 'https://user:a-long-pass@tokens.acme.io/v1?apikey=abcdefghijk' },
        { Type: 'rest', BaseURL: 'https://node.acme.io/v2/AbCdEfGhIjKlMn12AbCdEfGhIjKlMn12' },
      ),
    ).toEqual(['https://tokens.acme.io/v1', 'https://node.acme.io']);
  });
});

test('a verifier without addresses is warned of', () => {
  const { warnings } = check({ Verifier: [{ Type: 'aggregator', Name: 'spare', Address: 'a:1' }] });
  expect(warnings.map(formatProblem)).toEqual([
    expect.stringMatching(/^Verifier\[0\]\.IssuerAddresses: there is none, so this verifier is never asked/),
  ]);
});
