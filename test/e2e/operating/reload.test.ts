import { writeFileSync } from 'node:fs';
import { stringify, type TomlTable } from 'smol-toml';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endAllCli } from '../../support/e2e/cli.js';
import { type EmittedChain, startEmittedChain } from '../../support/e2e/emitted-chain.js';
import { e2eDirectory, hotAndWarm, startServiceProcess, writeConfig } from '../../support/e2e/service.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';

/** The part of `/status` that is looked at. */
interface Status {
  readonly startedAt: string;
  readonly verifiers: readonly { readonly name: string }[];
  readonly workers: { readonly members: readonly unknown[] };
}

/** Nothing listens there. */
const NOWHERE = 'http://127.0.0.1:9';

const directory = e2eDirectory();
let database: TestDatabase;
let chain: EmittedChain;
beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  chain = await startEmittedChain(95);
});
afterAll(async () => {
  await endAllCli();
  await chain.close();
  await database.drop();
  directory.remove();
});

it('SIGHUP gives a running process other nodes, verifiers, limits and a log level, while it goes on answering', async () => {
  const messageIds = await chain.block(3);
  await chain.mine(10);
  const table = (chains: TomlTable, verifiers: TomlTable, more: TomlTable = {}) => ({
    ...hotAndWarm({
      ...{ namespace: 'reload', uri: database.uri },
      chains: [{ ...chain.chainSection({ PollInterval: 50 }), ...chains }],
      verifiers: [{ ...chain.verifierSection(), ...verifiers }],
    }),
    ...more,
  });
  const limited = (RequestsPerSecond: number) => ({
    API: { ListenAddress: '127.0.0.1', ListenPort: 0, RateLimit: { Enabled: true, RequestsPerSecond } },
  });
  const before = table({ RpcUrls: [NOWHERE] }, { Name: 'old', BaseURL: NOWHERE }, limited(1));
  const file = writeConfig(directory.path, 'indexer.toml', before);
  const { cli, apiUrl, adminUrl } = await startServiceProcess('start', file, '--migrate');
  const status = async () => (await (await fetch(`${adminUrl}/status`)).json()) as Status;
  const metrics = async () => await (await fetch(`${adminUrl}/metrics`)).text();
  const messages = async () => (await fetch(`${apiUrl}/v1/messages`)).status;
  await eventually('the limit of one a second', async () => [await messages(), await messages()].includes(429));
  const { startedAt } = await status();

  // a file that is being edited changes nothing
  writeFileSync(file, '[[Chain]\n');
  cli.kill('SIGHUP');
  await cli.printed(/"msg":"the configuration is not taken over/);
  expect((await status()).verifiers.map(({ name }) => name)).toEqual(['old']);

  // nor does one whose parts cannot be opened, not even in part
  const missing = { Type: 'aggregator', Address: '127.0.0.1:9', CACertFile: '/nowhere/ca.pem' };
  writeFileSync(file, stringify(table({}, missing, { ...limited(10_000), Log: { Level: 'debug', Format: 'json' } })));
  cli.kill('SIGHUP');
  await cli.printed(/nowhere\/ca\.pem.*"msg":"the configuration is not taken over/);
  // a request would be a line by now
  await status();
  await status();
  expect(cli.stderr()).not.toContain('"level":"debug"');

  const { API } = limited(10_000);
  const more = { API: { ...API, CompressAbove: 0 }, Log: { Level: 'debug', Format: 'json' } };
  writeFileSync(file, stringify(table({}, { Name: 'new' }, more)));
  cli.kill('SIGHUP');
  const [line] = await cli.printed(/^\{.*"msg":"configuration taken over".*\}$/m);
  expect(JSON.parse(line)).toMatchObject({
    indexer: ['Chain[0].RpcUrls[0]', 'Verifier[0].Name', 'Verifier[0].BaseURL'],
    logLevel: true,
    rateLimit: true,
    restart: ['API.CompressAbove'],
  });
  await cli.printed(/"keys":\["API.CompressAbove"\].*only a restart takes over/);
  await eventually('all verifications', async () => {
    const found = await Promise.all(messageIds.map((id) => fetch(`${apiUrl}/v1/verifierresults/${id}`)));
    return found.every((answer) => answer.status === 200);
  });
  expect(cli.stderr()).toContain('"level":"debug"');
  const now = await status();
  expect(now.startedAt).toBe(startedAt);
  expect(now.verifiers.map(({ name }) => name)).toEqual(['new']);
  expect(now.workers.members).toHaveLength(1);
  for (const [sample] of (await metrics()).matchAll(/^indexer_\w+\{.*verifier="old".*$/gm))
    expect(sample).toMatch(/_total\{|_bucket\{|_sum\{|_count\{/);

  // SIGTERM ends it as before
  expect(await cli.stop()).toEqual({ code: 0, signal: null });
});
