import { chmodSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TomlTable } from 'smol-toml';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ExaminedCheck } from '../../../src/app/doctor/examine.js';
import type { Finding } from '../../../src/app/doctor/finding.js';
import { CCV } from '../../support/chain/log-emitter.js';
import { startRpcProxy } from '../../support/chain/rpc-proxy.js';
import { runCli } from '../../support/e2e/cli.js';
import { clockEnvironment } from '../../support/e2e/clock.js';
import { type EmittedChain, startEmittedChain } from '../../support/e2e/emitted-chain.js';
import { commandFixture } from '../../support/e2e/fixture.js';
import { listResults } from '../../support/e2e/http.js';
import { runHere } from '../../support/e2e/run-here.js';
import { hotAndWarm, type RunningService, startServiceProcess, writeConfig } from '../../support/e2e/service.js';
import { eventually } from '../../support/eventually.js';

interface DoctorJson {
  readonly severity: string | null;
  readonly exitCode: number;
  readonly checks: readonly ExaminedCheck[];
  readonly findings: readonly Finding[];
}

/** Parts of a system that differ from the healthy one. */
interface Wish {
  readonly uri?: string;
  readonly chain?: TomlTable;
  readonly verifier?: TomlTable;
  readonly s3?: TomlTable;
  readonly top?: TomlTable;
}

const NAMESPACE = 'doctor';
const fixture = commandFixture();
let chain: EmittedChain;

let healthy: string;
let service: RunningService;

beforeAll(async () => {
  chain = await startEmittedChain(11);
  await chain.block(4);
  await chain.mine(8);
  healthy = systemOf('healthy');
  service = await startServiceProcess('start', healthy, '--migrate');
  await eventually('everything is verified', async () => (await listResults(service.apiUrl)).size === 4);
});
afterAll(() => chain.close());

/** A chain, a verifier, three tiers. */
function systemOf(name: string, wish: Wish = {}): string {
  const table = hotAndWarm({
    namespace: NAMESPACE,
    uri: wish.uri ?? fixture.database.uri,
    chains: [chain.chainSection({ ChainID: 1_337, ...wish.chain })],
    verifiers: [{ ...chain.verifierSection(), RequestTimeout: 2, ...wish.verifier }],
  });
  (table['Storage'] as { Sink: { Storages: TomlTable[] } }).Sink.Storages.push({
    ...{ Name: 'cold', Type: 's3' },
    S3: { Directory: join(fixture.directory, 'cold'), FlushInterval: '200ms', ...wish.s3 },
  });
  const file = writeConfig(fixture.directory, `${name}.toml`, { ...table, ...wish.top });
  // a file with a password that everybody can read is a warning
  chmodSync(file, 0o600);
  return file;
}

/** Runs the doctor in this process; its JSON, and the ids of its findings with their subjects. */
async function doctor(file: string, ...options: string[]) {
  const { code, stdout, error } = await runHere(['doctor', '-c', file, '--json', ...options]);
  if (!stdout) throw error;
  const json = JSON.parse(stdout) as DoctorJson;
  return { code, json, ids: json.findings.map(({ id, subject }) => `${id} ${subject}`).sort() };
}

/** Runs statements on the namespace of the healthy system. */
async function sql(...statements: string[]): Promise<void> {
  for (const statement of statements) await fixture.database.sql(statement.replaceAll('@', `${NAMESPACE}.`));
}

it('has nothing to report of a healthy system, beside its processes and without them', async () => {
  expect(await doctor(healthy)).toMatchObject({ code: 0, ids: [], json: { severity: null, exitCode: 0 } });
  expect(await service.cli.stop()).toEqual({ code: 0, signal: null });

  const { code, stdout, stderr } = await runCli(['doctor', '-c', healthy]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^INFO {2}no-worker {2}warm\n(?: {2}.*\n)+\n\d+ checks in .*: 1 info\n$/);
});

it('names a database that is away, and says of what it therefore knows nothing', async () => {
  const file = systemOf('away', { uri: 'postgresql://ccv:hunter2@127.0.0.1:1/ccv' });
  const { code, ids, json } = await doctor(file);
  expect(code).toBe(3);
  expect(ids).toEqual(expect.arrayContaining(['postgres-unreachable warm', 'not-checked warm']));
  expect(json.findings[0]).toMatchObject({
    ...{ id: 'postgres-unreachable', severity: 'critical', check: 'postgres' },
    evidence: { leads: true, reason: expect.stringContaining('ECONNREFUSED') },
  });
  expect(JSON.stringify(json)).not.toContain('hunter2');
});

it('names a schema that is behind, with the command that mends it', async () => {
  const file = systemOf('behind', { top: { Namespace: 'behind' } });
  await runHere(['migrate', 'up', '-c', file]);
  await fixture.database.sql('DELETE FROM behind.migrations WHERE id = (SELECT max(id) FROM behind.migrations)');
  const { code, json } = await doctor(file, '--only', 'schema');
  expect(code).toBe(3);
  expect(json.findings).toMatchObject([
    { id: 'schema-behind', subject: 'warm', next: `\`ccv-indexer migrate up -c ${file}\`` },
  ]);
});

it('names a dead verifier, a node of another chain, and a chain that no node answers for', async () => {
  const dead = 'http://127.0.0.1:1';
  const other = await startRpcProxy(chain.url);
  other.onCall = async (call, forward) => (call.method === 'eth_chainId' ? { result: '0x1' } : await forward());
  const file = systemOf('wrong', { verifier: { BaseURL: dead }, chain: { RpcUrls: [other.url, dead] } });
  const { code, ids } = await doctor(file, '--only', 'verifiers,rpc-nodes');
  expect(code).toBe(2);
  expect(ids).toEqual(['chain-unreachable emitted', 'rpc-wrong-chain emitted', 'verifier-unreachable committee']);
  await other.close();
  const second = systemOf('second', { chain: { RpcUrls: [dead, chain.url] } });
  expect(await doctor(second, '--only', 'rpc-nodes')).toMatchObject({ code: 1, ids: ['rpc-unreachable emitted'] });
});

it('makes each problem of a configuration that cannot be used a finding', async () => {
  const file = systemOf('mistyped', { chain: { Selecter: '5', ChainID: 'x' } });
  const { code, ids } = await doctor(file);
  expect(code).toBe(3);
  expect(ids).toEqual(['config-invalid Chain[0].ChainID', 'config-invalid Chain[0].Selecter']);
});

it('ends at its limit, names what it waited for, and keeps what it found before', async () => {
  // takes a question and never answers
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const file = systemOf('slow', { verifier: { BaseURL: `http://127.0.0.1:${port}`, RequestTimeout: 600 } });
  const { code, json } = await doctor(file, '--only', 'verifiers,schema', '--limit', '300ms');
  expect(code).toBe(1);
  expect(json.findings).toMatchObject([{ id: 'not-checked', check: 'verifiers', subject: 'committee' }]);
  silent.closeAllConnections();
  await new Promise((resolve) => silent.close(resolve));
});

it('names a clock that differs from the database', async () => {
  const clock = clockEnvironment({ sinceMs: Date.now(), behindMs: 60_000, speed: 1 });
  const { code, stdout } = await runCli(['doctor', '-c', healthy, '--only', 'clocks', '--json'], clock);
  expect(code).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({ findings: [{ id: 'clock-skew', subject: 'warm', severity: 'error' }] });
});

it('names a cursor above its chain, one on a block that is gone, and one far behind', async () => {
  const move = (change: string) => sql(`UPDATE @source_cursors SET ${change} WHERE source_id LIKE 'chain:%'`);
  await move('height = height + 1000');
  expect(await doctor(healthy, '--only', 'cursors')).toMatchObject({ code: 2, ids: ['cursor-ahead emitted'] });
  await move("height = height - 1000, hash = '\\x00'");
  expect(await doctor(healthy, '--only', 'cursors')).toMatchObject({ code: 3, ids: ['cursor-off-chain emitted'] });
  await move('height = 0, hash = NULL');
  const old = await startRpcProxy(chain.url);
  old.onCall = async (call, forward) => {
    const answer = await forward();
    // the first block is of another time
    const isFirst = call.method === 'eth_getBlockByNumber' && call.params[0] === '0x0';
    return isFirst && 'result' in answer ? { result: { ...(answer.result as object), timestamp: '0x1' } } : answer;
  };
  const behind = systemOf('slow-chain', { chain: { RpcUrls: [old.url] } });
  const { code, json } = await doctor(behind, '--only', 'cursors');
  expect(code).toBe(2);
  expect(json.findings).toMatchObject([
    { id: 'cursor-behind', subject: 'emitted', evidence: { height: '0' }, next: expect.stringContaining('status -c') },
  ]);
  await old.close();
});

it('names a message that is missing in its lane, with the blocks to read again', async () => {
  const gone = chain.messageIds[1];
  await sql(`DELETE FROM @messages WHERE message_id = '\\x${gone?.slice(2)}'`);
  const { code, json } = await doctor(healthy, '--only', 'lanes');
  expect(code).toBe(2);
  expect(json.findings).toMatchObject([
    {
      ...{ id: 'lane-gap', evidence: { missing: '1', ranges: ['2'], chain: 'emitted' } },
      next: expect.stringMatching(/replay chain --chain emitted --from \d+ --to \d+ -c /),
    },
  ]);
});

it('names a CCV that no verifier answers for, and a verifier that messages wait for', async () => {
  await sql('UPDATE @messages SET status = 0');
  const unknown = systemOf('unknown', { verifier: { IssuerAddresses: [`0x${'99'.repeat(20)}`] } });
  expect(await doctor(unknown, '--only', 'tasks')).toMatchObject({ code: 2, ids: [`ccv-unknown ${CCV}`] });
  await sql('DELETE FROM @verifier_results');
  const late = systemOf('late', {
    top: { Scheduler: { BaseDelay: 100, MaxDelay: 500, VerificationVisibilityWindow: 1 } },
  });
  const { code, json } = await doctor(late, '--only', 'tasks');
  expect(code).toBe(2);
  expect(json.findings).toMatchObject([{ id: 'messages-stuck', subject: 'committee', evidence: { messages: 3 } }]);
});

it('names quarantined input and conflicts, as info once they are old', async () => {
  await sql(
    `INSERT INTO @quarantine VALUES ('\\x01', 'chain:1', 'k', 'abi', 'four topics', '\\x00', NULL, ${Date.now()}, 1000001)`,
    `INSERT INTO @conflicts VALUES ('\\x01', 0, '\\x02', '\\x', '\\x', '\\x03', '\\x04', 1, 1000002)`,
  );
  const { code, json } = await doctor(healthy, '--only', 'quarantine');
  expect(code).toBe(1);
  expect(json.findings).toMatchObject([
    { id: 'quarantine-filled', severity: 'warning', subject: 'chain:1', evidence: { reason: 'abi', entries: 1 } },
    { id: 'conflicts-recorded', severity: 'info', subject: 'messages', evidence: { message: '0x02' } },
  ]);
});
