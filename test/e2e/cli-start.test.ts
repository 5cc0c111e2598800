import { spawn } from 'node:child_process';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endAllCli, ROOT, runCli, startCli } from '../support/e2e/cli.js';
import { e2eDirectory, hotAndWarm, startServiceProcess, writeConfig } from '../support/e2e/service.js';
import { eventually } from '../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.js';

type Table = ReturnType<typeof hotAndWarm>;

const directory = e2eDirectory();
const AWAY = 'postgresql://ccv:hunter2@127.0.0.1:1/ccv';
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(endAllCli);
afterAll(async () => {
  directory.remove();
  await database.drop();
});

function config(name: string, storages: (table: Table) => unknown, uri = database.uri): string {
  const table = hotAndWarm({ namespace: 'ccv', uri });
  return writeConfig(directory.path, `${name}.toml`, { ...table, Storage: storages(table) } as Table);
}

const hot = { Name: 'hot', Type: 'memory' };
const warm = () => ({ Name: 'warm', Type: 'postgres', Postgres: { URI: database.uri } });
const never = { ReadCondition: { Type: 'never' } };
const sinkOf = (...Storages: readonly object[]) => ({ Strategy: 'sink', Sink: { Storages } });

describe('a role that its storage cannot serve is refused, instead of answering that there is nothing', () => {
  it.each([
    ['api', 'memory alone', () => ({ Strategy: 'single', Single: { Type: 'memory' } })],
    ['api', 'a database that is never read', () => sinkOf(hot, { ...warm(), ...never })],
    ['worker', 'memory alone', () => sinkOf(hot)],
    ['start', 'memory that forgets', () => sinkOf({ ...hot, Memory: { TTL: 60 } })],
    ['start', 'memory of a few', () => ({ Strategy: 'single', Single: { Type: 'memory', Memory: { MaxSize: 9 } } })],
  ])('%s over %s', async (role, what, storage) => {
    const { code, stderr } = await runCli([role, '-c', config(`${role}-${what}`.replaceAll(' ', '-'), storage)]);
    expect(code).toBe(1);
    expect(stderr).toContain('ROLE_NEEDS_DATABASE');
  });
});

it('a start over memory that keeps everything works, without a database', async () => {
  const { cli, apiUrl } = await startServiceProcess(
    'start',
    config('memory', () => sinkOf(hot)),
  );
  expect((await fetch(`${apiUrl}/v1/messages`)).status).toBe(200);
  expect(await cli.stop()).toEqual({ code: 0, signal: null });
});

describe('a database that is away', () => {
  const withCopy = (copy: object) => () =>
    sinkOf(hot, warm(), { Name: 'copy', Type: 'postgres', Postgres: { URI: AWAY }, ...copy });

  it.each([
    ['a worker starts without the one that need not hold what is written', 'worker', { Required: false }],
    ['an api starts without the one it never reads', 'api', { ...never, Required: true }],
  ] as const)('%s', async (_name, role, copy) => {
    const { cli } = await startServiceProcess(role, config(`away-${role}`, withCopy(copy)));
    expect(`${cli.stdout()}${cli.stderr()}`).not.toContain('hunter2');
    expect(await cli.stop()).toEqual({ code: 0, signal: null });
  });

  it('and required ends a worker with code 1', async () => {
    const { code, stderr } = await runCli(['worker', '-c', config('away-required', withCopy({ Required: true }))]);
    expect(code).toBe(1);
    expect(stderr).toContain('STORAGE_UNAVAILABLE');
  });

  it('ends a worker with code 1 when it is the only one, required or not', async () => {
    const only = () => sinkOf(hot, { Name: 'only', Type: 'postgres', Required: false, Postgres: { URI: AWAY } });
    expect((await runCli(['worker', '-c', config('away-only', only)])).code).toBe(1);
  });
});

describe('a database that accepts connections and says nothing', () => {
  const sockets = new Set<Socket>();
  let server: Server;
  let asked: Promise<void>;
  beforeAll(async () => {
    let onAsked = (): void => undefined;
    asked = new Promise((resolve) => {
      onAsked = resolve;
    });
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('data', () => onAsked());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('does not keep a start from ending at the first SIGTERM', async () => {
    const { port } = server.address() as { port: number };
    const file = writeConfig(
      directory.path,
      'silent.toml',
      hotAndWarm({ namespace: 'ccv', uri: `postgresql://ccv:hunter2@127.0.0.1:${port}/ccv` }),
    );
    const cli = startCli(['start', '-c', file]);
    await asked;
    expect(await cli.stop()).toEqual({ code: 0, signal: null });
    expect(cli.stderr()).toContain('"msg":"stopped"');
  });
});

it('a terminal that goes away drains a process as SIGTERM does, and its second SIGHUP does not cut it short', async () => {
  const file = config('terminal', () => sinkOf(warm()));
  const command = `echo "pid=$$"; exec ${process.execPath} scripts/ccv-indexer.mjs start -c ${file}`;
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  terminal.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    printed += chunk;
  });
  const ended = new Promise<number | null>((resolve) => terminal.once('close', resolve));
  await eventually('the start', () => /"msg":"started"/.test(printed));
  const pid = Number(/pid=(\d+)/.exec(printed)?.[1]);
  process.kill(pid, 'SIGHUP');
  await eventually('the signal in the log', () => /"signal":"SIGHUP".*"msg":"stopping/.test(printed));
  process.kill(pid, 'SIGHUP');
  expect(await ended).toBe(0);
  expect(printed).toContain('"msg":"stopped"');
});
