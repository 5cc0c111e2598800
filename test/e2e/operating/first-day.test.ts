import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { debianProgram } from '../../support/debian-program.js';
import { type EmittedChain, startEmittedChain } from '../../support/e2e/emitted-chain.js';
import { e2eDirectory } from '../../support/e2e/service.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { commandsOf, ROOT } from '../../support/pages.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { askPrometheus } from '../../support/prometheus/prometheus.js';

const PAGE = 'config/deploy/README.md';
const text = readFileSync(join(ROOT, PAGE), 'utf8');
const MESSAGES = 5;

const directory = e2eDirectory();
const services: ChildProcess[] = [];
let database: TestDatabase;
let chain: EmittedChain;
let mining: NodeJS.Timeout;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  chain = await startEmittedChain(31);
  await chain.block(MESSAGES);
  // a chain that stands still is a finding
  mining = setInterval(() => void chain.mine(1), 250);
});
afterAll(async () => {
  clearInterval(mining);
  for (const service of services) service.kill('SIGKILL');
  await chain.close();
  await database.drop();
  directory.remove();
});

/** Programs of the page that are not on the path of this machine: ours, and Prometheus. */
async function programsOf(): Promise<string> {
  const programs = join(directory.path, 'bin');
  mkdirSync(programs);
  const run = `exec '${process.execPath}' '${ROOT}/scripts/bundled/run.mjs' src/cli/main.ts "$@"`;
  const prometheus = await debianProgram('prometheus', '/usr/bin/prometheus');
  for (const [name, command] of Object.entries({ 'ccv-indexer': run, prometheus: `exec '${prometheus}' "$@"` })) {
    writeFileSync(join(programs, name), `#!/bin/sh\n${command}\n`);
    chmodSync(join(programs, name), 0o755);
  }
  return `${programs}:${process.env['PATH']}`;
}

it('a new operator comes from nothing to a worker, an API, metrics and alerts by the commands of the page', async () => {
  const ports = await Promise.all([8100, 8101, 8102, 9090].map(async (port) => [port, await freePort()] as const));
  const here = new Map(ports);
  const { chainSection, verifierSection } = chain;
  const [node, verifier] = [chainSection(), verifierSection()];
  /** The places of an operator, for those that the page makes up. */
  const places: readonly (readonly [RegExp, string])[] = [
    [/postgresql:\S+/, `'${database.uri}'`],
    [/name=ethereum,\S+/, `name=emitted,selector=${node['Selector']},rpc=${chain.url},onramp=${node['OnRamp']}`],
    [/name=committee-1,\S+/, `name=committee,url=${verifier['BaseURL']},issuer=${verifier['IssuerAddresses']}`],
    [/\/var\/lib\/ccv-indexer\/cold/, join(directory.path, 'cold')],
    [/"\$\(npm root --global\)\/ccv-indexer/, `"${ROOT}`],
  ];
  const placed = (line: string) =>
    places
      .reduce((command, [from, to]) => command.replace(from, to), line)
      .replace(/\b(8100|8101|8102|9090)\b/g, (port) => String(here.get(Number(port))));
  const commands = commandsOf({ path: PAGE, text }).map(({ command }) => command);
  for (const [from] of places) expect(commands.some((command) => from.test(command))).toBe(true);

  const env = {
    ...{ HOME: directory.path, PATH: await programsOf() },
    ...{ CCV_INDEXER__API__ListenPort: `${here.get(8100)}`, CCV_INDEXER__Admin__ListenPort: `${here.get(8101)}` },
  };
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(text) ?? [];
  writeFileSync(join(directory.path, 'prometheus.yml'), placed(yaml.replaceAll(/^ {3}/gm, '')).replace('15s', '1s'));

  /** Runs a command to its end. */
  const run = async (command: string) => {
    const { stdout } = await promisify(execFile)('sh', ['-c', placed(command)], { cwd: directory.path, env });
    return stdout;
  };
  /** Starts a command that goes on, and waits for a word of it. */
  const start = async (command: string, word: RegExp) => {
    const options = { cwd: directory.path, env, stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'] };
    const service = spawn('sh', ['-c', `exec ${placed(command).replace(/^(\w+=\S+) /, 'env $1 ')}`], options);
    services.push(service);
    let said = '';
    for (const stream of [service.stdout, service.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk));
    await eventually(`${command}: ${word}`, () => {
      if (service.exitCode !== null) throw new Error(`${command} ended: ${said}`);
      return word.test(said) || said.slice(-300);
    });
    return service;
  };

  const shown: Record<string, string> = {};
  for (const command of commands) {
    if (command.startsWith('npm install --global')) continue;
    else if (/ccv-indexer (worker|api) /.test(command)) await start(command, /"msg":"started"/);
    else if (command.startsWith('prometheus ')) await start(command, /ready to receive/);
    else if (command.startsWith('curl '))
      await eventually('the message is final and answered', async () => {
        shown['curl'] = await run(command);
        return shown['curl'].includes('"messages":{"0x');
      });
    // a warning, with which the doctor ends with 1
    else if (command.includes(' doctor ')) shown['doctor'] = await run(`${command} || [ $? -eq 1 ]`);
    else shown[command.split(' ').slice(0, 3).join(' ')] = await run(command);
  }
  expect(Object.keys(shown)).toHaveLength(8);
  expect(shown['ccv-indexer config init']).toContain('which only you can read');
  expect(shown['ccv-indexer config check']).toContain('is usable');
  expect(shown['ccv-indexer status -c']).toMatch(/: worker, .+, up .+[\s\S]+^ {2}emitted +\w+ +head \d+/m);

  expect(shown['doctor']).toMatch(/^WARNING +tier-empty +cold$/m);
  expect(shown['doctor']).toMatch(/^\d+ checks in .+: 1 warning$/m);

  const ask = askPrometheus(`127.0.0.1:${here.get(9090)}`);
  await eventually('both processes are scraped', async () => (await ask('up == 1')).length === 2);
  await eventually('a figure of the dashboard', async () => {
    const [sample] = await ask('sum(indexer_unique_messages_total{job="ccv-indexer"})');
    return sample?.value === MESSAGES || sample;
  });
  const rules = (await (await fetch(`http://127.0.0.1:${here.get(9090)}/api/v1/rules`)).json()) as {
    readonly data: { readonly groups: readonly { readonly rules: readonly unknown[] }[] };
  };
  expect(rules.data.groups.flatMap((group) => group.rules).length).toBeGreaterThan(30);

  for (const service of services.splice(0)) {
    service.kill('SIGINT');
    await eventually('it drains and ends', () => service.exitCode !== null || service.signalCode !== null);
    expect(service.exitCode).toBe(0);
  }
});
