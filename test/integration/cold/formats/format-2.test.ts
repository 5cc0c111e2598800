import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { bytesToHex } from '../../../../src/core/hex.js';
import { readContents } from '../../../../src/model/contents-filter.js';
import type { ColdStorage } from '../../../../src/storage/cold/cold-storage.js';
import { openMaintained } from '../../../support/cold/maintenance.js';
import { plainChange, unpackFormat } from '../../../support/cold/old-formats.js';
import { committed, createDyingStore, follow, NAMESPACE } from '../../../support/cold/storage-life.js';
import { createRecordMaker } from '../../../support/records.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../../support/s3/object-store.js';

/** Position of the fixture's last commit. */
const POSITION = 105n;
const places: TestDirectoryStore[] = [];
afterEach(async () => {
  for (const place of places.splice(0)) await place.remove();
});

async function inFormat2() {
  const place = await createTestDirectoryStore();
  places.push(place);
  return { ...place, changes: unpackFormat(2, place.directory) };
}

async function changesOf(storage: ColdStorage): Promise<unknown[]> {
  return (await storage.changesAfter(0n, 100_000)).changes.map(plainChange);
}

/** Every message is among those of its transaction: by the column in files of before, by their index in new ones. */
async function expectTransactions(storage: ColdStorage): Promise<void> {
  const { changes } = await storage.changesAfter(0n, 100_000);
  const sent = changes.flatMap(({ kind, record }) => (kind === 'message' && record.origin ? [record] : []));
  expect(sent.some(({ orphaned }) => orphaned)).toBe(true);
  for (const message of sent.slice(-20)) {
    const { messages } = (await storage.getTransaction(message.origin!.transactionHash)).value;
    expect(messages.find(({ messageId }) => messageId === message.messageId)?.position).toBe(message.position);
  }
}

/** The next commits of a leader that began with the fixture: a judged result of one of its messages, and an execution. */
async function laterLife({ directory }: TestDirectoryStore) {
  const make = createRecordMaker(77);
  const place = await createTestDirectoryStore();
  places.push(place);
  await cp(join(directory, NAMESPACE), join(place.directory, NAMESPACE), { recursive: true });
  const origin = openMaintained(place.store, { role: 'leader' });
  const message = (await origin.queryMessages({ limit: 1 })).items[0]!;
  const execution = make.execution(message, { blockNumber: 8n });
  const verdict = { verdict: 'invalid', configBlock: 5n } as const;
  await origin.insertBatch({ verifierResults: [{ ...make.result(message, 0, { source: '0xaa' }), verdict }] });
  await origin.insertBatch({ executions: [execution] });
  return { origin, execution };
}

describe('a namespace of format 2', () => {
  test('is read as it is: lists, changes, no executions, and nothing is written', async () => {
    const { store, changes } = await inFormat2();
    const before = (await store.list('')).objects;
    const reader = openMaintained(store, { role: 'reader' });
    expect(await changesOf(reader)).toEqual(changes);
    expect((await reader.maintenance.verify()).problems).toEqual([]);
    await reader.close();
    const leader = openMaintained(store, { role: 'leader' });
    expect(await leader.executionsAboveBlock(1n, 0n)).toEqual([]);
    expect(await leader.getExecutions(createRecordMaker(1).message().messageId)).toEqual([]);
    await expectTransactions(leader);
    await leader.close();
    expect((await store.list('')).objects).toEqual(before);
  });

  test('has no terms in its indexes, and is narrowed to contents all the same', async () => {
    const { store } = await inFormat2();
    const leader = openMaintained(store, { role: 'leader' });
    const { items } = await leader.queryMessages({ limit: 1_000 });
    for (const { encodedMessage } of items) {
      const sender = bytesToHex(readContents(encodedMessage).sender);
      const same = items.filter((each) => bytesToHex(readContents(each.encodedMessage).sender) === sender);
      expect((await leader.queryMessages({ senders: [sender], limit: 1_000 })).items).toEqual(same);
      expect((await leader.countMessages({ senders: [sender] })).count).toBe(same.length);
    }
    expect(items.length).toBeGreaterThan(0);
    await leader.close();
  });

  test('goes on with executions and verdicts, without a data file written anew, and is of format 3 from then on', async () => {
    const place = await inFormat2();
    const { store, directory } = place;
    const isData = (key: string) => key.includes('.parquet') && !key.includes('_delta_log');
    const before = (await store.list('')).objects.filter(({ key }) => isData(key)).map(({ key }) => key);
    const { origin, execution } = await laterLife(place);
    const archive = openMaintained(store);
    await follow(archive, origin);
    await archive.flush();
    const after = (await store.list('')).objects.map(({ key }) => key);
    expect(after).toEqual(expect.arrayContaining(before));
    expect(after.filter(isData)).toHaveLength(before.length + 2);
    const ledger = join(directory, 'test/ledger/_delta_log');
    const names = after.filter((key) => /ledger\/_delta_log\/\d+\.json$/.test(key)).map((key) => key.slice(-25));
    const logs = await Promise.all(names.map((name) => readFile(join(ledger, name), 'utf8')));
    // a program of before refuses any format but its own
    expect(logs.filter((log) => /"appId":"ccv-indexer:format","version":3\b/.test(log))).toHaveLength(1);
    expect((await archive.maintenance.verify()).problems).toEqual([]);
    await archive.maintenance.compact({ full: true });
    expect((await archive.maintenance.verify()).problems).toEqual([]);
    await archive.close();
    const leader = openMaintained(store, { role: 'leader' });
    expect(await changesOf(leader)).toEqual((await origin.changesAfter(0n, 100_000)).changes.map(plainChange));
    expect(await leader.getExecutions(execution.messageId)).toEqual(await origin.getExecutions(execution.messageId));
    const { transactionHash } = execution.place;
    expect(await leader.getTransaction(transactionHash)).toEqual(await origin.getTransaction(transactionHash));
    await expectTransactions(leader);
    await Promise.all([leader.close(), origin.close()]);
  });

  test.each(['compact', 'write'] as const)('is of format 3 after the first %s of this version', async (what) => {
    const { store, changes } = await inFormat2();
    const leader = openMaintained(store, { role: 'leader' });
    if (what === 'compact') await leader.maintenance.compact({ full: true });
    else await leader.insertBatch({ messages: [createRecordMaker(9).message()] });
    const found = await changesOf(leader);
    expect(found.slice(0, changes.length)).toEqual(changes);
    expect((await leader.maintenance.describe()).tables.map(({ version }) => version >= 0)).toEqual(
      Array(4).fill(true),
    );
    expect((await leader.maintenance.verify()).problems).toEqual([]);
    await leader.close();
  });

  test('whose first writer died at any commit goes on', async () => {
    for (const table of ['messages', 'verifier_results', 'executions', 'ledger'])
      for (const nth of [1, 2]) {
        const place = await inFormat2();
        const { store } = place;
        const { origin } = await laterLife(place);
        let seen = 0;
        const isNth = (key: string) => {
          if (key.startsWith(`test/${table}/_delta_log/`)) seen += 1;
          return seen === nth;
        };
        const dying = openMaintained(createDyingStore(store, isNth));
        await follow(dying, origin);
        await dying.flush().catch(() => undefined);
        await dying.close().catch(() => undefined);
        const { throughPosition } = (await committed(store)) as { throughPosition: bigint };
        expect([POSITION, POSITION + 2n]).toContain(throughPosition);
        const next = openMaintained(store);
        await follow(next, origin);
        await next.flush();
        expect(await changesOf(next)).toEqual((await origin.changesAfter(0n, 100_000)).changes.map(plainChange));
        expect((await next.maintenance.verify()).problems).toEqual([]);
        await Promise.all([next.close(), origin.close()]);
      }
  });
});
