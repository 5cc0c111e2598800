import type { TomlTable } from 'smol-toml';
import { expect, it } from 'vitest';
import { CCV, EXECUTOR } from '../../support/chain/log-emitter.js';
import { startRpcProxy } from '../../support/chain/rpc-proxy.js';
import { doctorSystem } from '../../support/doctor/system.js';
import { runHere } from '../../support/e2e/run-here.js';

const system = doctorSystem();

/** Runs the command in this process, for people and as JSON. */
async function inspect(id: string, file = system.healthy) {
  const text = await runHere(['inspect', id, '-c', file, '--limit', '10m']);
  const { code, stdout } = await runHere(['inspect', id, '-c', file, '--limit', '10m', '--json']);
  expect(code).toBe(text.code);
  return { code, text: text.stdout, json: JSON.parse(stdout) as Record<string, unknown> };
}

const idOf = (at: number) => system.chain.messageIds[at] ?? '';
const bytes = (id: string) => `'\\x${id.slice(2)}'`;

it('prints all that tiers, chain and sources know of a message', async () => {
  await system.service.cli.stop();
  const messageId = idOf(0);
  const { code, json, text } = await inspect(messageId);
  expect(code).toBe(0);
  const held = {
    message: { status: 'success', orphaned: false, origin: { blockNumber: '1' } },
    results: [{ verifierSourceAddress: CCV, verifierName: 'committee', orphaned: false }],
  };
  expect(json).toMatchObject({
    ...{ messageId, differences: [] },
    message: { messageNumber: '1', ccvAddresses: [CCV], executorAddress: EXECUTOR },
    tiers: [
      { backend: 'warm', type: 'postgres', ...held },
      { backend: 'cold', type: 's3', ...held },
    ],
    ccvs: [{ address: CCV, verifiers: ['committee'], isStored: true, why: null }],
    chain: { name: 'emitted', nodes: [{ url: 0, log: { blockNumber: 1, isFinal: true } }] },
    sources: [{ name: 'committee', kind: 'verifier', state: 'result', verifierSourceAddress: CCV }],
    remarks: [{ backend: 'warm', conflicts: [], quarantine: [], replacements: [], isPruned: false }],
  });
  for (const line of [
    /lane \d+ → \d+, number 1/,
    /result of .* by committee: attested/,
    /of block 1 .*, final/,
    /as stored$/,
  ])
    expect(text).toMatch(new RegExp(line, 'm'));
});

it('names where tiers differ, and where a source has other bytes than they', async () => {
  const messageId = idOf(1);
  await system.sql(`UPDATE @verifier_results SET ccv_data = '\\x00' WHERE message_id = ${bytes(messageId)}`);
  const { code, json, text } = await inspect(messageId);
  expect(code).toBe(2);
  expect(json).toMatchObject({ differences: [`the result of ${CCV} differs`] });
  expect(text).toContain(`DIFFERS: the result of ${CCV} differs`);
  const { text: alone } = await inspect(messageId, system.variant('alone', { top: warmAlone() }));
  expect(alone).toContain('OTHER BYTES than stored');
});

it('says why a verification is missing, and shows conflicts, quarantined input and replaced results', async () => {
  const messageId = idOf(2);
  const id = bytes(messageId);
  await system.sql(
    `DELETE FROM @verifier_results WHERE message_id = ${id}`,
    `INSERT INTO @conflicts VALUES ('\\x01', 0, ${id}, '\\x', '\\x', '\\x03', '\\x04', 1, 1000001)`,
    `INSERT INTO @quarantine VALUES ('\\x01', 'chain:1', 'k', 'abi', 'four topics', '\\x00', ${id}, 1, 1000002)`,
    `INSERT INTO @replacements (replay, message_id, verifier_source, verifier_dest, stored_hash, received_hash,
       attestation_ms, verifier_name, ccv_data, replaced_ms) VALUES (7, ${id}, '\\x05', '\\x', '\\x06', '\\x07', 1, 'v', '\\x', 1)`,
  );
  const top = warmAlone();
  const { json, text } = await inspect(messageId, system.variant('missing', { top }));
  expect(json).toMatchObject({
    ccvs: [{ isStored: false, why: 'verifier committee has it now, and no worker has stored it yet' }],
    remarks: [
      {
        conflicts: [{ record: 'message', receivedHash: '0x04' }],
        quarantine: [{ sourceId: 'chain:1', reason: 'abi' }],
        replacements: [{ replay: '7', verifierSourceAddress: '0x05' }],
      },
    ],
  });
  for (const line of ['MISSING: ', 'conflict of the message', 'quarantined in postgres', 'by replay 7'])
    expect(text).toContain(line);
  const nobody = system.variant('nobody', { top, verifier: { IssuerAddresses: [`0x${'99'.repeat(20)}`] } });
  expect((await inspect(messageId, nobody)).json).toMatchObject({ ccvs: [{ why: 'no [[Verifier]] answers for it' }] });
});

it('shows a part that is away with the reason, and the others all the same', async () => {
  const uri = 'postgresql://ccv:hunter2@127.0.0.1:1/ccv';
  const dead = 'http://127.0.0.1:1';
  const wish = { uri, chain: { RpcUrls: [system.chain.url, dead] }, verifier: { BaseURL: dead } };
  const { code, json, text } = await inspect(idOf(3), system.variant('away', wish));
  expect(code).toBe(0);
  expect(json).toMatchObject({
    tiers: [
      { backend: 'warm', unavailable: expect.stringContaining('ECONNREFUSED') },
      { backend: 'cold', message: { status: 'success' } },
    ],
    chain: { nodes: [{ log: { blockNumber: 1 } }, { unavailable: expect.any(String) }] },
    sources: [{ unavailable: expect.stringContaining('ECONNREFUSED') }],
  });
  expect(text).toContain('warm (postgres): UNAVAILABLE: ');
  expect(text + JSON.stringify(json)).not.toContain('hunter2');
});

it('says that no tier and no source knows a message, with an exit code', async () => {
  const { code, json, text } = await inspect(`0x${'ab'.repeat(32)}`);
  expect(code).toBe(1);
  expect(json).toMatchObject({ message: null, ccvs: [], sources: [{ state: 'unknown' }] });
  expect(text).toContain('no tier and no source knows it');
  expect(await runHere(['inspect', '0x12', '-c', system.healthy])).toMatchObject({ code: 1 });
});

/** The database without the tiers around it. */
function warmAlone(): TomlTable {
  return {
    Storage: { Strategy: 'single', Single: { Type: 'postgres', Postgres: { URI: system.fixture.database.uri } } },
  };
}

it('config check --online tries each connection, and fails for what cannot work', async () => {
  const healthy = await runHere(['config', 'check', '-c', system.healthy, '--online']);
  expect(healthy).toMatchObject({ code: 0 });
  expect(healthy.stdout).toMatch(/is usable\.[\s\S]*\d+ checks in .*: nothing to report/);
  const other = await startRpcProxy(system.chain.url);
  other.onCall = async (call, forward) => (call.method === 'eth_chainId' ? { result: '0x1' } : await forward());
  const file = system.variant('online', {
    chain: { RpcUrls: [other.url] },
    verifier: { BaseURL: 'http://127.0.0.1:1' },
  });
  const { code, stdout } = await runHere(['config', 'check', '-c', file, '--online']);
  expect(code).toBe(1);
  expect(stdout).toMatch(/is usable\.[\s\S]*rpc-wrong-chain {2}emitted[\s\S]*verifier-unreachable {2}committee/);
  // one of two nodes that is away is a warning
  const second = system.variant('online-2', { chain: { RpcUrls: ['http://127.0.0.1:1', system.chain.url] } });
  expect(await runHere(['config', 'check', '-c', second, '--online'])).toMatchObject({ code: 0 });
  expect(await runHere(['config', 'check', '-c', second, '--online', '--strict'])).toMatchObject({ code: 1 });
  await other.close();
});
