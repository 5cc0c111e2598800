import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { endAllCli, runCli, startCli } from '../../support/e2e/cli.js';
import { type EmittedChain, startEmittedChain } from '../../support/e2e/emitted-chain.js';
import { listMessages } from '../../support/e2e/http.js';
import { e2eDirectory, hotAndWarm, startServiceProcess, writeConfig } from '../../support/e2e/service.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';

const directory = e2eDirectory();
let database: TestDatabase;
let chain: EmittedChain;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  chain = await startEmittedChain(51);
});
afterEach(endAllCli);
afterAll(async () => {
  await chain.close();
  await database.drop();
  directory.remove();
});

function configOf(name: string, BearerToken: string): string {
  const config = hotAndWarm({
    ...{ namespace: 'shown', uri: database.uri },
    ...{ chains: [chain.chainSection()], verifiers: [chain.verifierSection()] },
  });
  const Admin = { ListenAddress: '127.0.0.1', ListenPort: 0, BearerToken };
  return writeConfig(directory.path, `${name}.toml`, { ...config, Admin });
}

it('status shows a running process on one screen, live, and without one what the database knows', async () => {
  const file = configOf('own', 'a-token-of-this-process');
  const { cli, apiUrl, adminUrl } = await startServiceProcess('start', file, '--migrate');
  await chain.block(7);
  await eventually('messages are listed', async () => (await listMessages(apiUrl)).size === 7);
  const status = (...options: readonly string[]) => runCli(['status', '-c', file, ...options]);

  const screen = await status('--url', adminUrl);
  expect(screen.code, screen.stderr).toBe(0);
  expect(screen.stdout).toMatch(new RegExp(`^${adminUrl}: worker and API, .+, up .+$`, 'm'));
  expect(screen.stdout).toMatch(/^7 messages, \d verifier results$/m);
  expect(screen.stdout).toMatch(/^ {2}hot +follower +\w+ +behind 0 positions/m);
  expect(screen.stdout).toMatch(/^ {2}warm +leader +healthy$/m);
  expect(screen.stdout).toMatch(/^ {2}emitted +following +head 1 +stored 1 +.+ old +1 of 1 nodes$/m);
  expect(screen.stdout).toMatch(/^ {2}committee +is asked/m);
  expect(screen.stdout).toMatch(/^workers: 1\n {2}\S+ +owns 1 sources +since 20/m);

  const json = JSON.parse((await status('--url', adminUrl, '--json')).stdout) as Record<string, unknown>;
  expect(json).toMatchObject({
    namespace: 'shown',
    members: [{ sources: [expect.stringMatching(/^chain:/)], sinceMs: expect.any(Number) }],
    leases: [{ owner: expect.any(String), epoch: 1, sinceMs: expect.any(Number) }],
    process: { role: 'both', membership: { sources: [{ state: 'owned' }] } },
  });

  const live = startCli(['status', '-c', file, '--url', adminUrl, '--watch']);
  await live.printed(/worker and API[\s\S]+worker and API/);
  live.interrupt();
  expect((await live.exited).code).toBe(130);

  const other = await runCli(['status', '-c', configOf('other', 'a-token-of-another-one'), '--url', adminUrl]);
  expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('wants another BearerToken') });
  const strange = await status('--url', chain.url);
  expect(strange).toMatchObject({ code: 1, stderr: expect.stringContaining('does not answer as the admin port') });

  await cli.stop();
  const away = await status('--url', adminUrl);
  expect(away).toMatchObject({ code: 1, stderr: expect.stringMatching(/no process answers at .+ECONNREFUSED/) });
  const known = await status();
  expect(known.code, known.stderr).toBe(0);
  expect(known.stdout).toMatch(/name the port with --url; the database tells:\nworkers of namespace shown: \d/);
});
