import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { connectionUri } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { CCV } from '../../support/chain/log-emitter.js';
import { startRpcProxy } from '../../support/chain/rpc-proxy.js';
import { doctor, doctorSystem } from '../../support/doctor/system.js';
import { runCli } from '../../support/e2e/cli.js';
import { clockEnvironment } from '../../support/e2e/clock.js';
import { parquetFiles } from '../../support/e2e/cold-namespace.js';
import { runHere } from '../../support/e2e/run-here.js';
import { eventually } from '../../support/eventually.js';
import { startTlsFront } from '../../support/postgres/tls.js';

const system = doctorSystem();

it('has nothing to report of a healthy system, beside its processes and without them', async () => {
  expect(await doctor(system.healthy)).toMatchObject({ code: 0, ids: [], json: { severity: null, exitCode: 0 } });
  expect(await system.service.cli.stop()).toEqual({ code: 0, signal: null });

  const { code, stdout, stderr } = await runCli(['doctor', '-c', system.healthy, '--limit', '10m']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^INFO {2}no-worker {2}warm\n(?: {2}.*\n)+\n\d+ checks in .*: 1 info\n$/);
});

it('names a database that is away, and says of what it therefore knows nothing', async () => {
  const file = system.variant('away', { uri: 'postgresql://ccv:hunter2@127.0.0.1:1/ccv' });
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
  const file = system.variant('behind', { top: { Namespace: 'behind' } });
  await runHere(['migrate', 'up', '-c', file]);
  await system.fixture.database.sql('DELETE FROM behind.migrations WHERE id = (SELECT max(id) FROM behind.migrations)');
  const { code, json } = await doctor(file, '--only', 'schema');
  expect(code).toBe(3);
  expect(json.findings).toMatchObject([
    { id: 'schema-behind', subject: 'warm', next: `\`ccv-indexer migrate up -c ${file}\`` },
  ]);
});

it('names a dead verifier, a node of another chain, and a chain that no node answers for', async () => {
  const dead = 'http://127.0.0.1:1';
  const other = await startRpcProxy(system.chain.url);
  other.onCall = async (call, forward) => (call.method === 'eth_chainId' ? { result: '0x1' } : await forward());
  const file = system.variant('wrong', { verifier: { BaseURL: dead }, chain: { RpcUrls: [other.url, dead] } });
  const { code, ids } = await doctor(file, '--only', 'verifiers,rpc-nodes');
  expect(code).toBe(2);
  expect(ids).toEqual(['chain-unreachable emitted', 'rpc-wrong-chain emitted', 'verifier-unreachable committee']);
  await other.close();
  const second = system.variant('second', { chain: { RpcUrls: [dead, system.chain.url] } });
  expect(await doctor(second, '--only', 'rpc-nodes')).toMatchObject({ code: 1, ids: ['rpc-unreachable emitted'] });
});

it('makes each problem of a configuration that cannot be used a finding', async () => {
  const file = system.variant('mistyped', { chain: { Selecter: '5', ChainID: 'x' } });
  const { code, ids } = await doctor(file);
  expect(code).toBe(3);
  expect(ids).toEqual(['config-invalid Chain[0].ChainID', 'config-invalid Chain[0].Selecter']);
});

it('ends at its limit, names what it waited for, and keeps what it found before', async () => {
  // takes a question and never answers
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const file = system.variant('slow', { verifier: { BaseURL: `http://127.0.0.1:${port}`, RequestTimeout: 600 } });
  const { code, json } = await doctor(file, '--only', 'verifiers,config', '--limit', '300ms');
  expect(code).toBe(1);
  expect(json.findings).toMatchObject([{ id: 'not-checked', check: 'verifiers', subject: 'committee' }]);
  expect(json.checks).toMatchObject([
    { name: 'config', isWhole: true },
    { name: 'verifiers', isWhole: false },
  ]);
  silent.closeAllConnections();
  await new Promise((resolve) => silent.close(resolve));
});

it('names a clock that differs from the database, and certificates that have expired, or will', async () => {
  const front = await startTlsFront(system.fixture.database.tcp, system.fixture.directory);
  const uri = connectionUri({ ...system.fixture.database.tcp, host: 'localhost', port: front.port });
  const authority = `sslrootcert=${encodeURIComponent(front.certFile)}`;
  const file = system.variant('tls', { uri: `${uri}?sslmode=verify-full&${authority}` });
  expect(await doctor(file, '--only', 'certificates,clocks')).toMatchObject({
    ...{ code: 1, ids: ['authority-expired warm', 'certificate-expires warm'] },
  });
  const otherName = system.variant('tls', {
    uri: `${uri.replace('localhost', '127.0.0.1')}?sslmode=verify-full&${authority}`,
  });
  expect(await doctor(otherName, '--only', 'certificates')).toMatchObject({
    ids: ['authority-expired warm', 'certificate-refused warm'],
  });
  // three days from now
  const clock = clockEnvironment({ sinceMs: Date.now(), behindMs: -3 * 24 * 3_600_000, speed: 1 });
  const plain = system.variant('no-verify', { uri: `${uri}?sslmode=require` });
  const { code, stdout } = await runCli(
    ['doctor', '-c', plain, '--only', 'clocks,certificates', '--json', '--limit', '10m'],
    clock,
  );
  expect(code).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({
    findings: [
      { id: 'clock-skew', subject: 'warm', severity: 'error' },
      { id: 'certificate-expired', subject: 'warm', severity: 'warning' },
    ],
  });
  await front.close();
});

it('names an index that no query uses and one that is gone, and builds both anew when it is told to', async () => {
  const indexes = async () => {
    const text = `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made, indisvalid AS valid
      FROM pg_index WHERE indrelid = '@messages'::regclass ORDER BY 1`;
    return (await system.fixture.database.sql(text.replace('@', `${system.namespace}.`))).rows;
  };
  const before = await indexes();
  await system.sql(
    `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '@messages_by_time'::regclass`,
    'DROP INDEX @messages_by_block',
  );
  const { code, json } = await doctor(system.healthy, '--only', 'database');
  expect(code).toBe(2);
  const rebuild = 'REINDEX INDEX CONCURRENTLY "doctor"."messages_by_time"';
  expect(json.findings).toMatchObject([
    { id: 'index-missing', evidence: { index: 'messages_by_block' } },
    { id: 'index-invalid', next: `\`${rebuild}\``, repair: { title: `${rebuild} in warm` } },
  ]);
  const repair = ['--only', 'database', '--repair'];
  // nobody is there to agree
  const declined = { code: 2, json: { findings: [{}, { repair: { state: 'declined' } }] } };
  expect(await doctor(system.healthy, ...repair)).toMatchObject(declined);
  expect(await indexes()).not.toEqual(before);
  const text = await runHere(['doctor', '-c', system.healthy, '--limit', '10m', ...repair, '--yes']);
  expect(text).toMatchObject({ code: 0, stdout: expect.stringContaining(`repaired: ${rebuild} in warm\n`) });
  expect(await indexes()).toEqual(before);
  expect(await doctor(system.healthy, ...repair)).toMatchObject({ code: 0, ids: [] });
});

it('vacuums a table with far more dead rows than autovacuum waits for', async () => {
  await system.sql(
    'ALTER TABLE @lanes SET (autovacuum_enabled = false)',
    'INSERT INTO @lanes SELECT n, n FROM generate_series(1000, 61000) n',
    'DELETE FROM @lanes WHERE source_chain BETWEEN 1000 AND 61000',
    'SELECT pg_stat_force_next_flush()',
  );
  const found = ['vacuum-behind warm', 'vacuum-off warm'];
  await eventually('the dead rows are counted', async () => {
    const { ids } = await doctor(system.healthy, '--only', 'database');
    return ids.length === 2;
  });
  expect(await doctor(system.healthy, '--only', 'database', '--repair', '--yes')).toMatchObject({
    code: 1,
    ids: found,
  });
  await system.sql('ALTER TABLE @lanes RESET (autovacuum_enabled)');
  expect(await doctor(system.healthy, '--only', 'database')).toMatchObject({ code: 0, ids: [] });
});

it('promise 7: names records that two tiers hold differently, and a row that only one has', async () => {
  const [changed, gone] = system.chain.messageIds;
  const bytes = (id: string | undefined) => `'\\x${id?.slice(2)}'`;
  for (const options of [[], ['--full']]) {
    expect(await doctor(system.healthy, '--only', 'tiers', ...options)).toMatchObject({ code: 0, ids: [] });
    await system.sql(
      `CREATE TABLE @kept AS SELECT * FROM @verifier_results`,
      `UPDATE @verifier_results SET ccv_data = '\\x00' WHERE message_id = ${bytes(changed)}`,
      `DELETE FROM @verifier_results WHERE message_id = ${bytes(gone)}`,
    );
    const { code, json } = await doctor(system.healthy, '--only', 'tiers', ...options);
    expect(code).toBe(3);
    expect(json.findings).toMatchObject([
      { id: 'tiers-disagree', subject: 'cold', evidence: { leader: 'warm', differing: 2 } },
    ]);
    for (const id of [changed, gone]) expect(JSON.stringify(json.findings[0]?.evidence)).toContain(id);
    await system.sql(
      'TRUNCATE @verifier_results',
      'INSERT INTO @verifier_results SELECT * FROM @kept',
      'DROP TABLE @kept',
    );
  }
});

it('names a tier that is ahead of its leader, and one that holds nothing', async () => {
  const place = (name: string) => ({ s3: { Directory: join(system.fixture.directory, name) } });
  const empty = system.variant('empty-cold', place('nothing-here'));
  expect(await doctor(empty, '--only', 'tiers')).toMatchObject({ code: 1, ids: ['tier-empty cold'] });
  await system.sql(
    'CREATE TABLE @kept AS SELECT * FROM @ingest_clock',
    'UPDATE @ingest_clock SET last_position = 1, head_position = 1, counted_position = 1',
  );
  expect(await doctor(system.healthy, '--only', 'tiers')).toMatchObject({ code: 3, ids: ['tier-ahead cold'] });
  await system.sql(
    'UPDATE @ingest_clock c SET last_position = k.last_position, head_position = k.head_position, counted_position = k.counted_position FROM @kept k',
    'DROP TABLE @kept',
  );
});

it('names a file of the cold tier that is gone, and one that was cut', async () => {
  const tiers = system;
  // some of them are replaced already: their loss is none
  const files = parquetFiles(tiers, 'messages').map((file) => ({ file, bytes: readFileSync(file) }));
  const damaged = async () => (await doctor(system.healthy, '--only', 'cold-files')).json;
  expect(await damaged()).toMatchObject({ exitCode: 0, findings: [] });
  for (const { file } of files) rmSync(file);
  expect((await damaged()).findings[0]).toMatchObject({
    ...{ id: 'cold-damaged', severity: 'critical', subject: 'cold' },
    evidence: { object: expect.stringMatching(/^messages\/.*parquet$/), what: 'it is not there' },
  });
  for (const { file, bytes } of files) writeFileSync(file, bytes.subarray(1));
  const what = expect.stringContaining('by the log');
  expect((await damaged()).findings[0]).toMatchObject({ id: 'cold-damaged', evidence: { what } });
  for (const { file, bytes } of files) writeFileSync(file, bytes);
});

it('names a cursor above its chain, one on a block that is gone, and one far behind', async () => {
  const move = (change: string) => system.sql(`UPDATE @source_cursors SET ${change} WHERE source_id LIKE 'chain:%'`);
  await move('height = height + 1000');
  expect(await doctor(system.healthy, '--only', 'cursors')).toMatchObject({ code: 2, ids: ['cursor-ahead emitted'] });
  await move("height = height - 1000, hash = '\\x00'");
  expect(await doctor(system.healthy, '--only', 'cursors')).toMatchObject({
    code: 3,
    ids: ['cursor-off-chain emitted'],
  });
  await move('height = 0, hash = NULL');
  const old = await startRpcProxy(system.chain.url);
  old.onCall = async (call, forward) => {
    const answer = await forward();
    // the first block is of another time
    const isFirst = call.method === 'eth_getBlockByNumber' && call.params[0] === '0x0';
    return isFirst && 'result' in answer ? { result: { ...(answer.result as object), timestamp: '0x1' } } : answer;
  };
  const behind = system.variant('slow-chain', { chain: { RpcUrls: [old.url] } });
  const { code, json } = await doctor(behind, '--only', 'cursors');
  expect(code).toBe(2);
  expect(json.findings).toMatchObject([
    { id: 'cursor-behind', subject: 'emitted', evidence: { height: '0' }, next: expect.stringContaining('status -c') },
  ]);
  await old.close();
});

it('names a message that is missing in its lane, with the blocks to read again', async () => {
  const gone = system.chain.messageIds[1];
  await system.sql(`DELETE FROM @messages WHERE message_id = '\\x${gone?.slice(2)}'`);
  const { code, json } = await doctor(system.healthy, '--only', 'lanes');
  expect(code).toBe(2);
  expect(json.findings).toMatchObject([
    {
      ...{ id: 'lane-gap', evidence: { missing: '1', ranges: ['2'], chain: 'emitted' } },
      next: expect.stringMatching(/replay chain --chain emitted --from \d+ --to \d+ -c /),
    },
  ]);
});

it('names a CCV that no verifier answers for, and a verifier that messages wait for', async () => {
  await system.sql('UPDATE @messages SET status = 0');
  const unknown = system.variant('unknown', { verifier: { IssuerAddresses: [`0x${'99'.repeat(20)}`] } });
  expect(await doctor(unknown, '--only', 'tasks')).toMatchObject({ code: 2, ids: [`ccv-unknown ${CCV}`] });
  await system.sql('DELETE FROM @verifier_results');
  const late = system.variant('late', {
    top: { Scheduler: { BaseDelay: 100, MaxDelay: 500, VerificationVisibilityWindow: 1 } },
  });
  const { code, json } = await doctor(late, '--only', 'tasks');
  expect(code).toBe(2);
  expect(json.findings).toMatchObject([{ id: 'messages-stuck', subject: 'committee', evidence: { messages: 3 } }]);
});

it('names quarantined input and conflicts, as info once they are old', async () => {
  await system.sql(
    `INSERT INTO @quarantine VALUES ('\\x01', 'chain:1', 'k', 'abi', 'four topics', '\\x00', NULL, ${Date.now()}, 1000001)`,
    `INSERT INTO @conflicts VALUES ('\\x01', 0, '\\x02', '\\x', '\\x', '\\x03', '\\x04', 1, 1000002)`,
  );
  const { code, json } = await doctor(system.healthy, '--only', 'quarantine');
  expect(code).toBe(1);
  expect(json.findings).toMatchObject([
    { id: 'quarantine-filled', severity: 'warning', subject: 'chain:1', evidence: { reason: 'abi', entries: 1 } },
    { id: 'conflicts-recorded', severity: 'info', subject: 'messages', evidence: { message: '0x02' } },
  ]);
});
