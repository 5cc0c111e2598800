import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse, type TomlTable } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadConfig, parseConfig } from '../../../src/config/load.js';
import { ConfigError } from '../../../src/config/problems.js';
import { configSchema } from '../../../src/config/schema/schema.js';

const ROOT = join(import.meta.dirname, '../../..');

const MINIMAL = `
[Storage]
Strategy = "single"
Single = { Type = "memory" }
`;

function problemsOf(toml: string): Record<string, string> {
  try {
    parseConfig(parse(toml), 'test.toml');
  } catch (error) {
    if (error instanceof ConfigError)
      return Object.fromEntries(error.problems.map(({ path, message }) => [path, message]));
    throw error;
  }
  return {};
}

describe('configuration', () => {
  it('accepts the production example with its secrets file, and explains every key that exists', () => {
    const config = loadConfig({
      file: join(ROOT, 'config/example.toml'),
      secretsFile: join(ROOT, 'config/secrets.example.toml'),
    });
    expect(config.Chain[0]?.Selector).toBe(5009297550715157269n);
    expect(config.Storage.Sink?.Storages[1]?.Postgres?.URI).toBe('postgresql://ccv:change-me@localhost:5432/ccv');
    expect(config.Storage.Sink?.Storages[1]?.Postgres?.LockTimeout).toBe(30_000);
  });

  it.each(readdirSync(join(ROOT, 'config/patterns')))('accepts the pattern %s', (name) => {
    expect(() => loadConfig({ file: join(ROOT, 'config/patterns', name) })).not.toThrow();
  });

  it('reports everything that is wrong at once, with the path and what to write instead', () => {
    const problems = problemsOf(`
Namespace = "Not Good"
[[Chain]]
Name = "a"
Selector = 5
RpcUrls = ["ftp://x"]
OnRamp = "0x12"
PolInterval = 5
MaxBatchCalls = 0
MaxResponseBytes = 1000000000
[API]
ListenPort = 70000
[Storage]
Strategy = "single"
Single = { Type = "redis" }
`);
    expect(Object.keys(problems).sort()).toEqual([
      'API.ListenPort',
      'Chain[0].MaxBatchCalls',
      'Chain[0].MaxResponseBytes',
      'Chain[0].OnRamp',
      'Chain[0].PolInterval',
      'Chain[0].RpcUrls[0]',
      'Chain[0].Selector',
      'Namespace',
      'Storage.Single.Type',
    ]);
    expect(problems['Chain[0].PolInterval']).toBe('unknown key; did you mean PollInterval?');
    expect(problems['Chain[0].Selector']).toContain('"3379446385462418246"');
    expect(problems['Storage.Single.Type']).toBe('write one of "memory", "postgres", "s3"');
  });

  it('says how a table, and a list of them, is written', () => {
    expect(problemsOf('API = 5\n[Chain]\nName = "a"\n[[Storage.Sink.Storages]]\nType = "memory"')).toEqual({
      API: 'write a table here: [API] or { … }',
      Chain: 'write tables, each under its own [[Chain]]',
    });
    expect(problemsOf('Namespace = "a"')).toEqual({ Storage: 'write a table here: [Storage] or { … }' });
  });

  it('keeps selectors above 2^63 exact and refuses those above 2^64', () => {
    const chain = (selector: string) =>
      `[[Chain]]\nName = "a"\nSelector = "${selector}"\nRpcUrls = ["http://localhost:1"]\nOnRamp = "0x${'1'.repeat(40)}"\n${MINIMAL}`;
    expect(parseConfig(parse(chain('18446744073709551615')), 't').Chain[0]?.Selector).toBe(18446744073709551615n);
    expect(Object.keys(problemsOf(chain('18446744073709551616')))).toEqual(['Chain[0].Selector']);
  });

  it('takes StartUnix and EndUnix in seconds or milliseconds', () => {
    const config = parseConfig(
      parse(`
[[Storage.Sink.Storages]]
Type = "memory"
ReadCondition = { Type = "time_range", StartUnix = 1704067200, EndUnix = 1706745600000 }
`),
      't',
    );
    expect(config.Storage.Sink?.Storages[0]?.ReadCondition).toMatchObject({
      StartUnix: 1704067200000,
      EndUnix: 1706745600000,
    });
  });

  it.each([
    ['[Scheduler]\nBaseDelay = 100\nMaxDelay = 10', 'Scheduler.MaxDelay'],
    ['[Admin]\nListenPort = 8100', 'Admin.ListenPort'],
    ['[API]\nMaxAnswerBytes = 8388608', 'API.AnswerPartBytes'],
    [
      `[[Chain]]\nName = "a"\nSelector = "1"\nRpcUrls = ["http://a"]\nOnRamp = "0x${'11'.repeat(20)}"\nConfirmations = 20\nMinFinalityDepth = 12`,
      'Chain[0].MinFinalityDepth',
    ],
    ['[[Verifier]]\nType = "rest"\nName = "v"\nIssuerAddresses = ["0x11"]', 'Verifier[0].BaseURL'],
    ['[[Verifier]]\nType = "aggregator"\nName = "v"\nIssuerAddresses = ["0x11"]', 'Verifier[0].Address'],
    ['[Scheduler]\nBaseDelay = 100\nMaxDelay = 100', 'Scheduler.MaxDelay'],
    ['[Scheduler]\nTickerInterval = 20', 'Scheduler.TickerInterval'],
    ['[Scheduler]\nMaxDelay = 60000\nVerificationVisibilityWindow = 60', 'Scheduler.VerificationVisibilityWindow'],
    ['[[Discoveries]]\nAddress = "a:1"\n[[Discoveries]]\nAddress = "A:1"\nName = "b"', 'Discoveries[1].Address'],
    ['[[Discoveries]]\nAddress = "a:1"\nName = "d"\nTimeout = 1000', 'Discoveries[0].Timeout'],
    ['[[Discoveries]]\nAddress = "http://a:1"', 'Discoveries[0].Address'],
    ['[[Discoveries]]\nAddress = "a:1"\nVerifySignatures = "record"', 'Discoveries[0].VerifySignatures'],
    ['[[Discoveries]]\nAddress = "a:1"\nVerifySignatures = "always"', 'Discoveries[0].VerifySignatures'],
    ['[[Discoveries]]\nAddress = "a:1"\nAPIKey = "5a1e7d9c-4b3f-4a88-9c10-2f6b8d0e1a23"', 'Discoveries[0].Secret'],
    ['[[Discoveries]]\nAddress = "a:1"\nAPIKey = "not-a-uuid"', 'Discoveries[0].APIKey'],
    ['[[Discoveries]]\nAddress = "a:1"\nSecret = "abcdef"', 'Discoveries[0].Secret'],
  ])('refuses what is wrong together: %s', (toml, path) => {
    expect(Object.keys(problemsOf(`${toml}\n${MINIMAL}`))).toContain(path);
  });

  it('refuses a Sink that nobody may read and a condition without its window', () => {
    const never = '[[Storage.Sink.Storages]]\nType = "memory"\nReadCondition = { Type = "never" }';
    expect(Object.keys(problemsOf(never))).toEqual(['Storage.Sink.Storages']);
    const recent = '[[Storage.Sink.Storages]]\nType = "memory"\nReadCondition = { Type = "recent" }';
    expect(Object.keys(problemsOf(recent))).toEqual(['Storage.Sink.Storages[0].ReadCondition.LookbackWindowSeconds']);
  });

  it('lays the environment over the files, list entries by name', () => {
    const config = loadConfig({
      file: join(ROOT, 'config/example.toml'),
      environment: {
        CCV_INDEXER__Storage__Sink__Storages__warm__Postgres__URI: 'postgresql://env/db',
        CCV_INDEXER__API__ListenPort: '9000',
        UNRELATED: 'x',
      },
    });
    expect(config.Storage.Sink?.Storages[1]?.Postgres?.URI).toBe('postgresql://env/db');
    expect(config.API.ListenPort).toBe(9000);
  });

  it('takes values of the environment from files', () => {
    const directory = mkdtempSync(join(tmpdir(), 'ccv-config-'));
    const file = join(directory, 'uri');
    writeFileSync(file, 'postgresql://file:5ecret@mounted/db\n');
    const uri = 'CCV_INDEXER__Storage__Sink__Storages__warm__Postgres__URI';
    const load = (environment: Readonly<Record<string, string>>) =>
      loadConfig({ file: join(ROOT, 'config/example.toml'), environment });
    expect(load({ [`${uri}_FILE`]: file }).Storage.Sink?.Storages[1]?.Postgres?.URI).toBe(
      'postgresql://file:5ecret@mounted/db',
    );
    // digits alone in a file are text as well
    writeFileSync(file, '0123456789012345\n');
    const withToken = { [uri]: 'postgresql://env/db', CCV_INDEXER__Admin__BearerToken_FILE: file };
    expect(load(withToken).Admin.BearerToken).toBe('0123456789012345');
    expect(() => load({ [`${uri}_FILE`]: join(directory, 'missing') })).toThrow(
      new RegExp(`${uri}_FILE: names a file that cannot be read: ENOENT`),
    );
    expect(() => load({ [`${uri}_FILE`]: file, [uri]: 'postgresql://env/db' })).toThrow(
      /collides with another variable/,
    );
    rmSync(directory, { recursive: true });
  });

  it('says why there is an entry that no file has, when a name in the environment is mistyped', () => {
    const uriOf = (name: string) => ({
      [`CCV_INDEXER__Storage__Sink__Storages__${name}__Postgres__URI`]: 'postgresql://env/db',
    });
    const load = (environment: Readonly<Record<string, string>>) =>
      loadConfig({ file: join(ROOT, 'config/example.toml'), environment });
    expect(() => load(uriOf('wram'))).toThrow(
      'Storage.Sink.Storages[3]: was added by the secrets file or the environment, because no entry is called "wram" (there are hot, warm, cold)',
    );
    expect(() => load({ ...uriOf('warm'), CCV_INDEXER__Pool__ConcurrentWorkers: '0' })).not.toThrow('was added');
  });

  it('says where a file is not TOML and that a file is missing', () => {
    expect(() => loadConfig({ file: join(ROOT, 'package.json') })).toThrow(/line 1, column/);
    expect(() => loadConfig({ file: 'nowhere.toml' })).toThrow(/there is no such file; see config\/example.toml/);
  });

  it('explains every key of the schema in the production example', () => {
    const example = readFileSync(join(ROOT, 'config/example.toml'), 'utf8');
    const keys = keysOf(z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as SchemaNode);
    expect(keys.size).toBeGreaterThan(60);
    expect([...keys].filter((key) => !new RegExp(`\\b${key}\\b`).test(example))).toEqual([]);
  });

  it('shows every default in the production example as it is, or names it there', () => {
    const example = readFileSync(join(ROOT, 'config/example.toml'), 'utf8');
    const others = valuesBesideDefaults(parse(example));
    expect(others.length).toBeGreaterThan(3);
    for (const key of others) {
      // in the comment behind, or in the one before
      const [explained = ''] = new RegExp(`^(#.*\\n)*${key} =.*`, 'm').exec(example) ?? [];
      expect(explained, key).toMatch(/\bdefault\b/i);
    }
  });
});

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
}

/** Keys that have a default and are given another value: without them the configuration is another one. */
function valuesBesideDefaults(table: TomlTable): string[] {
  const given = configSchema.parse(table);
  return leavesOf(table).flatMap((path) => {
    const without = structuredClone(table);
    const key = path.at(-1)!;
    Reflect.deleteProperty(at(without, path.slice(0, -1)) as object, key);
    const parsed = configSchema.safeParse(without);
    // required, or absent unless it is given
    if (!parsed.success || at(parsed.data, path) === undefined) return [];
    return isDeepStrictEqual(parsed.data, given) ? [] : [String(key)];
  });
}

function at(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((node, key) => (node as Record<string | number, unknown> | undefined)?.[key], value);
}

/** Paths of everything that is neither a table nor a list of tables. */
function leavesOf(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (Array.isArray(value) && value.every((each) => typeof each === 'object'))
    return value.flatMap((each, index) => leavesOf(each, [...path, index]));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([key, child]) => leavesOf(child, [...path, key]));
}

function keysOf(node: SchemaNode, found = new Set<string>()): Set<string> {
  for (const [key, child] of Object.entries(node.properties ?? {})) keysOf(child, found.add(key));
  if (node.items) keysOf(node.items, found);
  return found;
}
