import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify, type TomlTable } from 'smol-toml';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { fakeAnswer } from '../../support/chain/fake-node.js';
import { type RpcProxy, startRpcProxy } from '../../support/chain/rpc-proxy.js';
import { type ColdNamespace, dropSchema, lived } from '../../support/e2e/cold-namespace.js';
import { commandFixture } from '../../support/e2e/fixture.js';
import { get } from '../../support/e2e/http.js';
import { runHere } from '../../support/e2e/run-here.js';
import { type RunningService, startServiceProcess, writeConfig } from '../../support/e2e/service.js';
import { eventually } from '../../support/eventually.js';
import { commandsOf, ROOT, readPages } from '../../support/pages.js';

vi.setConfig({ testTimeout: 120_000 });
// as `runProgram` does in a process of its own
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

/** Commands that no test runs as they stand, with the reason. */
const NOT_RUN: readonly { readonly command: RegExp; readonly reason: string }[] = [
  { command: /^npm ci/, reason: 'installs over the packages that the tests run with; .ci/run begins with it' },
  {
    command: /^npm start( -- (--for \w+|--rate 0 --no-executor))?$/,
    reason: 'takes a minute; .ci/run and test/e2e/dev-command.test.ts run it',
  },
  {
    command: / -- replay /,
    reason: 'needs a source with more than it gave before; test/e2e/replay.test.ts runs each kind',
  },
  { command: / -- storage upgrade /, reason: 'needs a tier of format 1; test/e2e/storage-command.test.ts runs it' },
  {
    command: / -- (doctor|inspect) /,
    reason: 'tells of the node here that its chain stands still; test/integration/doctor runs them',
  },
  { command: /^ccv-indexer migration /, reason: 'needs two databases; test/e2e/migration/move.test.ts walks them' },
  { command: /^(cast|ccip-cli) /, reason: 'a tool of others; test/e2e/dev-command.test.ts sends the same message' },
  { command: /^npm (test|run test)/, reason: 'is this run' },
  { command: /^npm run (bench|chaos)\b(?!.*--help)/, reason: 'takes minutes; test/integration/bench runs parts of it' },
  { command: /^\.ci\/run$/, reason: 'contains this run' },
  {
    command: /^(npm install --global|install|systemctl) /,
    reason: 'sets up a machine with systemd; test/integration/deploy/systemd.test.ts holds its units against systemd',
  },
  {
    command: /^(npm pack$|podman )/,
    reason: 'needs a container engine; test/integration/deploy/container.test.ts builds the image and runs it',
  },
  {
    command: /^(docker |API_PORTS=|mkdir -m 700 secrets|for name in |echo "postgresql:)/,
    reason:
      'makes secrets and needs a container engine; test/integration/deploy/compose.test.ts makes them and checks the file',
  },
  {
    command: /^(helm|kubectl) /,
    reason: 'needs a cluster; test/integration/deploy/helm.test.ts renders the chart and checks its objects',
  },
  {
    command: /\/backup\/drill\.sh"/,
    reason: 'needs the clients of Postgres; test/e2e/operating/backup.test.ts runs the drill',
  },
  { command: /^duckdb /, reason: 'needs the program; test/e2e/cold-duckdb.test.ts runs the file in the library' },
];

/** Its commands are run as they stand, one after the other, by test/e2e/operating/first-day.test.ts. */
const FIRST_DAY = 'config/deploy/README.md';

const commands = [
  ...new Set(
    readPages()
      .filter(({ path }) => path !== FIRST_DAY)
      .flatMap(commandsOf)
      .map(({ command }) => command),
  ),
];
const isLeftOut = (command: string) => NOT_RUN.some((each) => each.command.test(command));
const OURS = /^(?:npm run ccv-indexer --|ccv-indexer) (.*)$/;

/** Arguments of the `ccv-indexer` commands that begin with `beginning`. */
function calls(beginning: string): string[][] {
  return commands
    .flatMap((command) => OURS.exec(command)?.[1] ?? [])
    .filter((call) => `${call} `.startsWith(`${beginning} `))
    .map((call) => call.split(/\s+/));
}

const BEFORE_START = ['config check', 'migrate up', 'migrate status'];
const SERVICES = ['start', 'worker', 'api'].map((role) => `${role} -c indexer.toml -s secrets.toml`);
const AFTER_START = [
  'chain resume',
  'namespace',
  ...['status', 'verify', 'compact', 'vacuum', 'rollback'].map((name) => `storage ${name}`),
];
const RUN = [...BEFORE_START, ...SERVICES, ...AFTER_START, 'storage restore'];
const HELP = /^npm (start|run \w+) -- --help$/;

const urlsOf = (command: string) => command.match(/localhost:\d+[^'"\s]*/g) ?? [];

const HEAD = 21_000_100;
const fixture = commandFixture();
let node: RpcProxy;
let tiers: ColdNamespace;
let configFile: string;
let secretsFile: string;

beforeAll(async () => {
  node = await startRpcProxy('');
  node.onCall = async (call) => fakeAnswer(call, HEAD);
  tiers = fixture.tiersOf('pages', {});
  await lived(tiers, 8);
  ({ configFile, secretsFile } = splitSecrets());
});
afterAll(() => node.close());

/** The tiers with a chain, and their URI in a file of its own, as the pages have it. */
function splitSecrets() {
  const Warm = { Name: 'warm', Postgres: { URI: fixture.database.uri } };
  const text = readFileSync(tiers.file, 'utf8').replace(/^URI = .*$/m, '');
  const chain: TomlTable = {
    Name: 'ethereum',
    Selector: '4242',
    ChainID: 1337,
    RpcUrls: [node.url],
    OnRamp: `0x${'a1'.repeat(20)}`,
    StartBlock: HEAD - 200,
    PollInterval: 50,
  };
  writeFileSync(
    join(fixture.directory, 'indexer.toml'),
    text.replace('Chain = []', '') + stringify({ Chain: [chain] }),
  );
  const secrets = writeConfig(fixture.directory, 'secrets.toml', { Storage: { Sink: { Storages: [Warm] } } });
  return { configFile: join(fixture.directory, 'indexer.toml'), secretsFile: secrets };
}

const placed = (word: string) => word.replace(/^indexer\.toml$/, configFile).replace(/^secrets\.toml$/, secretsFile);

const run = (call: readonly string[]) => runHere(call.map(placed));

async function works(beginning: string): Promise<void> {
  const found = calls(beginning);
  expect(found.length, beginning).toBeGreaterThan(0);
  for (const call of found) expect(await run(call), call.join(' ')).toMatchObject({ code: 0, error: null });
}

it('every command of the pages is run here, or left out with a reason', () => {
  const isRun = (command: string) =>
    RUN.some((beginning) => `${OURS.exec(command)?.[1]} `.startsWith(`${beginning} `)) ||
    /^curl -s /.test(command) ||
    HELP.test(command);
  expect(commands.filter((command) => !isLeftOut(command) && !isRun(command))).toEqual([]);
  expect(NOT_RUN.filter((each) => !commands.some((command) => each.command.test(command)))).toEqual([]);
});

it('every npm script of the pages exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  const named = readPages().flatMap(({ text }) => [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name));
  expect(named.filter((name) => !Object.hasOwn(scripts, name!))).toEqual([]);
});

it.each(commands.filter((command) => HELP.test(command)))('%s shows how it is used', async (command) => {
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { cwd: ROOT });
  expect(stdout).toContain('Usage: ');
});

it('the commands of the pages work in the order of an installation', async () => {
  for (const beginning of BEFORE_START) await works(beginning);

  for (const role of ['worker', 'api'] as const) {
    const service = await startServiceProcess(role, configFile, '-s', secretsFile);
    expect(await service.cli.stop()).toEqual({ code: 0, signal: null });
  }
  const service = await startServiceProcess('start', configFile, '-s', secretsFile);
  await answersAll(service);
  await eventually('the cursor is stored', async () => {
    const { text } = await get(`${service.adminUrl}/status`);
    const { sources } = JSON.parse(text) as { sources: { watcher: { cursor: { height: number } | null } }[] };
    return (sources[0]?.watcher.cursor?.height ?? 0) > 21_000_000;
  });
  expect(await service.cli.stop()).toEqual({ code: 0, signal: null });

  for (const beginning of AFTER_START) await works(beginning);
  await dropSchema(tiers);
  await works('storage restore');
});

/** Asks every question of the pages; ids of the pages become one that is stored. */
async function answersAll({ apiUrl, adminUrl }: RunningService): Promise<void> {
  const { text } = await get(`${apiUrl}/v1/verifierresults?limit=1`);
  const id = /0x[0-9a-f]{64}/.exec(text)?.[0] ?? '';
  const urls = commands.flatMap((command) => (command.startsWith('curl ') ? urlsOf(command) : []));
  expect(urls.length).toBeGreaterThan(10);
  for (const url of urls) {
    const asked = url
      .replace(/^localhost:8100/, apiUrl)
      .replace(/^localhost:8101/, adminUrl)
      .replace(/0x[0-9a-f]{64}/, id);
    expect(await get(asked), url).toMatchObject({ status: 200 });
  }
}
