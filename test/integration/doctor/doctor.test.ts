import { chmodSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TomlTable } from 'smol-toml';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ExaminedCheck } from '../../../src/app/doctor/examine.js';
import type { Finding } from '../../../src/app/doctor/finding.js';
import { startRpcProxy } from '../../support/chain/rpc-proxy.js';
import { runCli, startCli } from '../../support/e2e/cli.js';
import { type EmittedChain, startEmittedChain } from '../../support/e2e/emitted-chain.js';
import { commandFixture } from '../../support/e2e/fixture.js';
import { listResults } from '../../support/e2e/http.js';
import { runHere } from '../../support/e2e/run-here.js';
import { hotAndWarm, serviceOf, writeConfig } from '../../support/e2e/service.js';
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

beforeAll(async () => {
  chain = await startEmittedChain(11);
  await chain.block(4);
  await chain.mine(8);
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

it('has nothing to report of a healthy system, beside its processes and without them', async () => {
  const file = systemOf('healthy');
  const service = await serviceOf(startCli(['start', '-c', file, '--migrate']));
  await eventually('everything is verified', async () => (await listResults(service.apiUrl)).size === 4);
  expect(await doctor(file)).toMatchObject({ code: 0, ids: [], json: { severity: null, exitCode: 0 } });
  await service.cli.stop();

  const { code, stdout, stderr } = await runCli(['doctor', '-c', file]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^\d+ checks in .*: nothing to report\n$/);
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
