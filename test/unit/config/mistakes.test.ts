import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify, type TomlTable } from 'smol-toml';
import { afterAll, describe, expect, it, test } from 'vitest';
import { checkConfig } from '../../../src/config/load.js';
import { ConfigError, formatProblem } from '../../../src/config/problems.js';

const directory = mkdtempSync(join(tmpdir(), 'ccv-config-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;
function write(content: string | Uint8Array, mode = 0o600): string {
  const file = join(directory, `${files++}.toml`);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

interface Found {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

function check(content: string | Uint8Array, secretsFile?: string, environment: Record<string, string> = {}): Found {
  try {
    const { warnings } = checkConfig({ file: write(content), secretsFile, environment });
    return { problems: [], warnings: warnings.map(formatProblem) };
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    for (const problem of thrown.problems) expect(thrown.message).toContain(`  ${formatProblem(problem)}`);
    return { problems: thrown.problems.map(formatProblem), warnings: [] };
  }
}

const ADDRESS = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed';
const chain = (more: TomlTable = {}): TomlTable => ({
  Name: 'a',
  Selector: '5009297550715157269',
  RpcUrls: ['https://node.acme.io/v2/AbCdEfGhIjKlMn12'],
  OnRamp: ADDRESS,
  ...more,
});
const verifier = (more: TomlTable = {}): TomlTable => ({
  Type: 'rest',
  Name: 'v',
  IssuerAddresses: [ADDRESS.toLowerCase()],
  BaseURL: 'https://committee.acme.io',
  ...more,
});
const LEFT = '$'.concat('{ALCHEMY_KEY}');
const URI = 'postgresql://ccv:a-long-pass@db.acme.io:5432/ccv';
const warm = (URI_: string, more: TomlTable = {}): TomlTable => ({
  Sink: { Storages: [{ Name: 'warm', Type: 'postgres', Postgres: { URI: URI_, ...more } }] },
});
const bucket = (more: TomlTable): TomlTable => ({
  Sink: { Storages: [{ Type: 's3', Name: 'cold', S3: { Bucket: 'records', Region: 'eu-central-1', ...more } }] },
});
const table = (more: TomlTable = {}): TomlTable => ({
  Chain: [chain()],
  Verifier: [verifier()],
  Storage: warm(URI),
  ...more,
});
const toml = (more: TomlTable = {}) => stringify(table(more));

test('a configuration without mistakes has neither problems nor warnings', () => {
  expect(check(toml())).toEqual({ problems: [], warnings: [] });
});

test('a proxy of the environment that start cannot use is refused for each URL behind it', () => {
  const { problems } = check(toml(rpc('http://127.0.0.1:8545')), undefined, {
    ALL_PROXY: 'socks5h://u:a-long-pass@p:1080',
  });
  expect(problems).toEqual([
    expect.stringMatching(/^Verifier\[0\]\.BaseURL: committee\.acme\.io is reached.*NO_PROXY$/),
  ]);
});

test('a secret of digits alone can be given by the environment', () => {
  const keys = { AccessKeyID: 'AKIAABCDEFGH', SecretAccessKey: 'to be replaced' };
  const environment = { CCV_INDEXER__Storage__Sink__Storages__cold__S3__SecretAccessKey: '12345678901234' };
  expect(check(toml({ Storage: bucket(keys) }), undefined, environment).problems).toEqual([]);
});

const uri = (text: string) => ({ Storage: warm(text) });
const endpoint = (text: string, more: TomlTable = {}) => ({ Storage: bucket({ Endpoint: text, ...more }) });
const rpc = (...urls: string[]) => ({ Chain: [chain({ RpcUrls: urls })] });
const PG = 'Storage.Sink.Storages[0].Postgres.URI: ';

describe('refused, with what was found and what to write instead', () => {
  it.each<[string, TomlTable, string]>([
    [
      'trust in everyone',
      { API: { TrustedProxies: ['0.0.0.0/0'] } },
      'API.TrustedProxies[0]: trusts everyone, so that any client can pretend to be any other: write the addresses of your proxies alone (found "0.0.0.0/0")',
    ],
    [
      'trust in everyone, IPv6',
      { API: { TrustedProxies: ['10.0.0.1', '::/0'] } },
      'API.TrustedProxies[1]: trusts everyone',
    ],
    [
      'trust in everyone, mapped',
      { API: { TrustedProxies: ['::ffff:0:0/96'] } },
      'API.TrustedProxies[0]: trusts everyone',
    ],
    [
      'a proxy that is none',
      { API: { TrustedProxies: ['proxy.acme.io'] } },
      'API.TrustedProxies[0]: write an address or a CIDR range',
    ],
    ...['999.1.1.1', '0.0.0.0:8100', 'http://0.0.0.0', '*', '', '[::]', '255.255.255.255', 'not an address'].map(
      (ListenAddress): [string, TomlTable, string] => [
        `the listen address ${ListenAddress}`,
        { API: { ListenAddress } },
        `API.ListenAddress: write an IP address of this machine without a port, "localhost", or "0.0.0.0" or "::" for every one of its addresses (found ${JSON.stringify(ListenAddress)})`,
      ],
    ),
    [
      'the listen address of the admin port',
      { Admin: { ListenAddress: 'nowhere' } },
      'Admin.ListenAddress: write an IP',
    ],
    [
      'a port that is none',
      { API: { ListenPort: 65_536 } },
      'API.ListenPort: write a port of at most 65535 (found 65536)',
    ],
    [
      'a port below zero',
      { API: { ListenPort: -1 } },
      'API.ListenPort: write the port as a whole number of at least 0 (found -1)',
    ],
    ['one port for both', { API: { ListenPort: 8101 } }, 'Admin.ListenPort: must differ from API.ListenPort (8101)'],
    [
      'the scheme of another database',
      uri('mysql://ccv:a-long-pass@db/ccv'),
      `${PG}mysql:// is the scheme of another server: write a URI that starts with postgresql://`,
    ],
    ['no scheme', uri('db.acme.io/ccv'), `${PG}write a URI that starts with postgresql://`],
    [
      'keywords',
      uri('host=db password=a-long-pass'),
      `${PG}write a URI that starts with postgresql://, for example postgresql://user:password@host:5432/database (found "host=db password=***")`,
    ],
    [
      '# in a password',
      uri('postgresql://ccv:one#two-three@db/ccv'),
      `${PG}has a # in user or password that ends it early: write it as %23 (and %40 for @, %3A for :, %25 for %) (found "postgresql://ccv:***@db/ccv")`,
    ],
    ['# behind a password of digits', uri('postgresql://ccv:12#two-three@db/ccv'), `${PG}has a #`],
    [
      '/ in a password',
      uri('postgresql://ccv:one/two-three@db/ccv'),
      `${PG}has a / in user or password that ends it early: write it as %2F`,
    ],
    ['/ behind digits', uri('postgresql://ccv:12/two-three@db/ccv'), `${PG}has a /`],
    ['? in a password', uri('postgresql://ccv:one?two-three@db/ccv'), `${PG}has a ? in user or password`],
    [
      'a mistyped sslmode',
      uri(`${URI}?sslmode=requir`),
      `${PG}sslmode is "requir": write one of disable, require, verify-ca, verify-full; did you mean "require"? (found "postgresql://ccv:***@db.acme.io:5432/ccv?sslmode=requir")`,
    ],
    ['a sslmode that start refuses', uri(`${URI}?sslmode=prefer`), `${PG}sslmode=prefer leaves it to the server`],
    ['an authority that is not named', uri(`${URI}?sslmode=verify-ca`), `${PG}sslmode=verify-ca needs`],
    [
      'a certificate that is not there',
      uri(`${URI}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem`),
      `${PG}the URI of Postgres cannot be used: ENOENT`,
    ],
    ['a character that is none', uri('postgresql://ccv:p%E9ssword@db/ccv'), `${PG}the URI of Postgres cannot be used`],
    [
      'a login without a host',
      uri('postgresql://ccv:a-long-pass@:5432/ccv'),
      `${PG}the URI of Postgres cannot be used`,
    ],
    ['a database as a parameter', uri('postgresql://ccv:a-long-pass@db/?database=ccv'), `${PG}names no database`],
    ['no database', uri('postgresql://ccv:a-long-pass@db'), `${PG}names no database: write it behind the host`],
    ['no database behind a slash', uri('postgresql://ccv:a-long-pass@db/?sslmode=require'), `${PG}names no database`],
    ['a port that is none', uri('postgresql://ccv:a-long-pass@db:54321x/ccv'), `${PG}has a port that is none`],
    ['several hosts', uri('postgresql://ccv:a-long-pass@db1,db2/ccv'), `${PG}names several hosts: write one`],
    [
      'a database in two places',
      {
        Storage: {
          Sink: {
            Storages: [
              { Name: 'one', Type: 'postgres', Postgres: { URI: 'postgres://x@localhost/ccv' } },
              { Name: 'two', Type: 'postgres', Postgres: { URI: 'postgresql://y@127.0.0.1:5432/ccv?sslmode=disable' } },
            ],
          },
        },
      },
      'Storage.Sink.Storages[1].Postgres.URI: is the same place as Storage.Sink.Storages[0]',
    ],
    [
      'a variable in a URL',
      rpc(`https://node.acme.io/v2/${LEFT}`),
      `Chain[0].RpcUrls[0]: has ${LEFT} left in it, which is filled in by nobody: write the value, or set the whole key by the environment (CCV_INDEXER__Chain__0__RpcUrls__0=…) (found "https://node.acme.io/v2/${LEFT}")`,
    ],
    ['a variable in a name', { Chain: [chain({ Name: LEFT })] }, `Chain[0].Name: has ${LEFT} left in it`],
    ['a variable alone', rpc('https://node.acme.io/v2/$KEY'), 'Chain[0].RpcUrls[0]: has $KEY left in it'],
    ['a variable as a password', uri('postgresql://ccv:$PASSWORD@db/ccv'), `${PG}has $PASSWORD left in it`],
    ['a template', uri('postgresql://ccv:{{ password }}@db/ccv'), `${PG}has {{ password }} left in it`],
    [
      'one URL twice',
      rpc('https://node.acme.io/a', 'HTTPS://NODE.acme.io.:443/a/'),
      'Chain[0].RpcUrls[1]: leads to the same place as Chain[0].RpcUrls[0]: write another (found "HTTPS://NODE.acme.io.:443/a/")',
    ],
    ['only ws', rpc('wss://node.acme.io'), 'Chain[0].RpcUrls: add at least one http(s) URL'],
    [
      'ws where http is needed',
      { Verifier: [verifier({ BaseURL: 'ws://committee.acme.io' })] },
      'Verifier[0].BaseURL: write a URL that starts with http:// or https:// (found "ws://committee.acme.io")',
    ],
    [
      'a space behind a URL',
      rpc('https://node.acme.io/a '),
      'Chain[0].RpcUrls[0]: has spaces or invisible characters in it',
    ],
    ['a newline in a URL', rpc('https://node.acme.io/a\nb'), 'Chain[0].RpcUrls[0]: has spaces or invisible'],
    ['no host', rpc('https:///v2/key'), 'Chain[0].RpcUrls[0]: write https:// and the host behind it'],
    ['one slash', rpc('https:/node.acme.io'), 'Chain[0].RpcUrls[0]: write https:// and the host behind it'],
    ['# in a URL', rpc('https://node.acme.io/?key=a#b'), 'Chain[0].RpcUrls[0]: has a # in it'],
    [
      'the zero address',
      { Chain: [chain({ OnRamp: `0x${'0'.repeat(40)}` })] },
      'Chain[0].OnRamp: is the zero address, which nobody has',
    ],
    [
      'a wrong checksum',
      { Chain: [chain({ OnRamp: ADDRESS.replace('5aA', '5aa') })] },
      `Chain[0].OnRamp: has a wrong checksum (EIP-55), so a digit may be mistyped: copy the address again, or write it in lower case when it is surely right (found "${ADDRESS.replace('5aA', '5aa')}")`,
    ],
    [
      'a zero issuer',
      { Verifier: [verifier({ IssuerAddresses: [`0x${'0'.repeat(40)}`] })] },
      'Verifier[0].IssuerAddresses[0]: is the zero address',
    ],
    [
      'a schema of Postgres',
      { Namespace: 'pg_catalog' },
      'Namespace: is a schema of Postgres itself: write another name, for example "ccv" (found "pg_catalog")',
    ],
    ['another', { Namespace: 'information_schema' }, 'Namespace: is a schema of Postgres itself'],
    ['a long namespace', { Namespace: 'a'.repeat(64) }, 'Namespace: write up to 48 of a-z'],
    [
      'an invisible name',
      { Chain: [chain({ Name: 'a\u200b' })] },
      'Chain[0].Name: write a name without spaces around it and without invisible',
    ],
    ['a private-use name', { Verifier: [verifier({ Name: '\ue000' })] }, 'Verifier[0].Name: write a name'],
    [
      'one name twice',
      { Chain: [chain(), chain({ Selector: '4949039107694359620' })] },
      'Chain[1].Name: "a" is taken by Chain[0] (found "a")',
    ],
    [
      'a mistyped word',
      { Log: { Level: 'wran' } },
      'Log.Level: write one of "trace", "debug", "info", "warn", "error", "silent"; did you mean "warn"? (found "wran")',
    ],
    [
      'a mistyped tag',
      { Chain: [chain({ Confirmations: 'finalised' })] },
      'did you mean "finalized"? (found "finalised")',
    ],
    [
      'an interval of zero',
      { Chain: [chain({ PollInterval: 0 })] },
      'Chain[0].PollInterval: write the duration in milliseconds as a whole number of at least 10 (found 0)',
    ],
    ['an interval below zero', { Scheduler: { BaseDelay: -5 } }, 'Scheduler.BaseDelay: write the duration'],
    [
      'an interval that no timer waits',
      { Chain: [chain({ PollInterval: 3_000_000_000 })] },
      'Chain[0].PollInterval: write the duration in milliseconds, at most',
    ],
    [
      'an interval that no timer waits, in seconds',
      { Storage: warm(URI, { StatementTimeout: 3_000_000 }) },
      'Postgres.StatementTimeout: write the duration in seconds, at most',
    ],
    [
      'less than a millisecond',
      { Storage: warm(URI, { ConnectTimeout: 0.0001 }) },
      'Postgres.ConnectTimeout: is less than a millisecond',
    ],
    ['a bucket in the path', endpoint('https://s3.acme.io/records'), 'S3.Endpoint: has the bucket in its path'],
    ['a bucket in the host', endpoint('https://records.s3.acme.io'), 'S3.Endpoint: has the bucket in its host'],
    ['a query behind an endpoint', endpoint('https://s3.acme.io/?x=1'), 'S3.Endpoint: has a query'],
    [
      'a bucket that is a URL',
      { Storage: bucket({ Bucket: 's3://records/a' }) },
      'S3.Bucket: write the name of the bucket alone',
    ],
  ])('%s', (_what, more, expected) => {
    const { problems } = check(toml(more));
    expect(problems.join('\n')).toContain(expected);
    expect(problems.join('\n')).not.toMatch(/a-long-pass|two-three|AbCdEfGhIjKlMn12/);
  });

  it('bytes that are not UTF-8, with their place', () => {
    const latin1 = Buffer.from('Namespace = "ccv"\nName = "\uFFFD', 'utf8');
    const { problems } = check(Buffer.concat([latin1, Buffer.from([0xe9]), Buffer.from('"')]));
    expect(problems).toEqual(['line 2, column 10: is not UTF-8: save the file in that encoding']);
    expect(check(Buffer.from(`\ufeff${toml()}`, 'utf16le')).problems).toEqual([
      expect.stringContaining('is not UTF-8'),
    ]);
  });

  it('a key that is there twice, with its line', () => {
    expect(check('Namespace = "a"\nNamespace = "b"').problems).toEqual([
      expect.stringMatching(/^line 2, column \d+: .*redefine/),
    ]);
  });

  it('a secrets file that is missing, or no file', () => {
    expect(check(toml(), join(directory, 'nowhere')).problems).toEqual([
      '(file): there is no such file; correct the path of the secrets file, or see config/secrets.example.toml for one to start from',
    ]);
    expect(check(toml(), directory).problems).toEqual(['(file): is a directory: write the path of a file']);
  });

  it('what the environment brings, without showing it', () => {
    const key = 'CCV_INDEXER__Storage__Sink__Storages__warm__Postgres__URI';
    expect(check(toml(), undefined, { [key]: 'mysql://u:from-outside@db/ccv' }).problems).toEqual([
      expect.stringMatching(/mysql:\/\/ is the scheme of another server.*\(found "mysql:\/\/u:\*\*\*@db\/ccv"\)$/),
    ]);
  });
});

describe('warned of, since it is legal but surely not meant', () => {
  it.each<[string, TomlTable, string]>([
    [
      'no chain',
      { Chain: [] },
      'Chain: there is none, so no message is found by this configuration: write a [[Chain]] or a [[Discoveries]]',
    ],
    ['no verifier', { Verifier: [] }, 'Verifier: there is none, so no verification is collected'],
    [
      'trust in half of everyone',
      { API: { TrustedProxies: ['0.0.0.0/1', '128.0.0.0/1'] } },
      'API.TrustedProxies[1]: trusts a large part of everyone',
    ],
    [
      'a password of an example',
      uri('postgresql://ccv:change-me@db/ccv'),
      `${PG}looks like the value of an example: write the real one (found "postgresql://ccv:***@db/ccv")`,
    ],
    ['a usual password', uri('postgresql://ccv:postgres@db/ccv'), `${PG}looks like the value of an example`],
    [
      'a key of an example',
      { Storage: bucket({ AccessKeyID: 'AKIA1234', SecretAccessKey: 'CHANGEME' }) },
      'S3.SecretAccessKey: looks like the value of an example: write the real one (found ***)',
    ],
    [
      'a key to be written',
      rpc('https://node.acme.io/v2/YOUR_API_KEY'),
      'Chain[0].RpcUrls[0]: looks like the value of an example',
    ],
    [
      'a host of documentation',
      rpc('https://rpc.example.org'),
      'Chain[0].RpcUrls[0]: leads to a host of documentation',
    ],
    ['a short password', uri('postgresql://ccv:abc@db/ccv'), `${PG}holds a secret of fewer than 6 characters`],
    [
      'an @ in a password',
      uri('postgresql://ccv:half@half-2@db/ccv'),
      `${PG}has an @ in user or password that is not written as %40`,
    ],
    [
      'a parameter that no driver knows',
      uri(`${URI}?ssmode=require`),
      `${PG}has a parameter ssmode that the driver does not know; did you mean "sslmode"?`,
    ],
    [
      'credentials in the clear',
      rpc('http://node.acme.io/?apikey=abcdefghij'),
      'Chain[0].RpcUrls[0]: sends its credentials in the clear: write https://',
    ],
    [
      'credentials in the clear over ws',
      rpc('https://node.acme.io', 'ws://u:a-long-pass@node.acme.io'),
      'Chain[0].RpcUrls[1]: sends its credentials in the clear: write wss://',
    ],
    ['an id for a selector', { Chain: [chain({ Selector: '1' })] }, 'Chain[0].Selector: is as small as a chain id'],
    [
      'an issuer twice',
      { Verifier: [verifier({ IssuerAddresses: [ADDRESS, ADDRESS.toLowerCase()] })] },
      'Verifier[0].IssuerAddresses[1]: is in the list twice',
    ],
    [
      'a service twice',
      { Verifier: [verifier(), verifier({ Name: 'w', BaseURL: 'https://Committee.acme.io/' })] },
      'Verifier[1].BaseURL: asks the service of Verifier[0] for the same CCV again',
    ],
    [
      'a path too far',
      { Verifier: [verifier({ BaseURL: 'https://committee.acme.io/verifications' })] },
      'Verifier[0].BaseURL: ends in /verifications',
    ],
    [
      'a query that is added',
      { Verifier: [verifier({ BaseURL: 'https://committee.acme.io/?messageID=0x' })] },
      'Verifier[0].BaseURL: has a messageID',
    ],
    ["everybody's schema", { Namespace: 'public' }, 'Namespace: is the schema of everybody'],
    ['a path of an endpoint', endpoint('https://s3.acme.io/minio'), 'S3.Endpoint: has a path, which few servers have'],
    [
      'an endpoint in the clear',
      endpoint('http://s3.acme.io'),
      'S3.Endpoint: sends records and session tokens in the clear',
    ],
    [
      'milliseconds for seconds',
      { Verifier: [verifier({ RequestTimeout: 10_000 })] },
      'Verifier[0].RequestTimeout: is in seconds, usually 0.1 to 600: check that no other unit was meant (found 10000)',
    ],
    [
      'seconds for milliseconds',
      { Chain: [chain({ PollInterval: 12 })] },
      'Chain[0].PollInterval: is in milliseconds, usually 50 to',
    ],
    [
      'tables of another strategy',
      { Storage: { ...warm(URI), Single: { Type: 'memory' } } },
      'Storage.Single: is not used with Strategy = "sink"',
    ],
  ])('%s', (_what, more, expected) => {
    const { problems, warnings } = check(toml(more));
    expect(problems).toEqual([]);
    expect(warnings.join('\n')).toContain(expected);
    expect(warnings.join('\n')).not.toMatch(/a-long-pass|CHANGEME|half-2|abcdefghij/);
  });

  it('files with secrets that everyone may read', () => {
    const config = write(
      stringify({ ...table(), Storage: { Sink: { Storages: [{ Name: 'warm', Type: 'postgres' }] } } }),
      0o644,
    );
    const content = stringify({ Storage: { Sink: { Storages: [{ Name: 'warm', Postgres: { URI } }] } } });
    const warningsOf = (secretsFile: string) =>
      checkConfig({ file: config, secretsFile }).warnings.map(({ path }) => path);
    const open = write(content, 0o644);
    expect(warningsOf(open)).toEqual([open]);
    expect(warningsOf(write(content, 0o640))).toEqual([]);
  });
});

describe('left alone', () => {
  it.each<[string, TomlTable]>([
    ['a mark at the head of the file', {}],
    ['a socket of Postgres', uri('postgresql://ccv:a-long-pass@/ccv?host=%2Frun%2Fpostgresql&port=5432')],
    ['an escaped password', uri('postgresql://ccv:a%2Flong%23pass%40@db/ccv?sslmode=verify-full')],
    ['IPv6', uri('postgresql://ccv:a-long-pass@[::1]:5433/ccv')],
    ['a key in the clear on this machine', rpc('http://127.0.0.1:8545/?apikey=abcdefghij')],
    ['one host over http and ws', rpc('https://node.acme.io/a', 'wss://node.acme.io/a')],
    [
      'two keys of one provider',
      rpc('https://node.acme.io/v2/aaaaaaaaaaaaaaa1', 'https://node.acme.io/v2/aaaaaaaaaaaaaaa2'),
    ],
    [
      'an address in lower case, or upper',
      { Chain: [chain({ OnRamp: ADDRESS.toLowerCase(), OffRamp: `0x${'ABCDEF01'.repeat(5)}` })] },
    ],
    ['listening on IPv6', { API: { ListenAddress: '::' }, Admin: { ListenAddress: 'localhost' } }],
    [
      'records for years',
      { Storage: { Sink: { Storages: [{ Type: 'memory', Name: 'm', Memory: { TTL: 20_000_000 } }] } } },
    ],
    ['a dollar in a password', uri('postgresql://ccv:pa$Word-12@db/ccv')],
  ])('%s', (_what, more) => {
    expect(check(`\ufeff${toml(more)}`)).toEqual({ problems: [], warnings: [] });
  });
});
