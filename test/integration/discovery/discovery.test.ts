import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import type { AggregatorServer } from '../../../scripts/devnet/aggregator/aggregator-server.js';
import { bytesField, decodeSince, encodePage, encodeResult } from '../../../scripts/devnet/aggregator/wire.js';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import type { Storage } from '../../../src/storage/storage.js';
import {
  ANNOUNCEMENT,
  cursorOf,
  messagesOf,
  one,
  openDiscovery,
  publishAll,
  resultsOf,
  SOURCE,
  untilRead,
} from '../../support/discovery/discovery.js';
import { eventually } from '../../support/eventually.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(9);

describe('discovery', () => {
  it('stores messages and results of all pages, and of an announcement only the message', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const results = make.results(230);
    const announced = one(make.results(1, ANNOUNCEMENT));
    publishAll(aggregator, results);
    aggregator.skip(7n);
    aggregator.publish(announced);
    start();
    await untilRead(storage, 238n);
    expect(await messagesOf(storage)).toBe(231);
    expect(await resultsOf(storage)).toBe(230);
    expect(await storage.getMessage(announced.messageId)).toMatchObject({ origin: null, status: 'processing' });
    const first = one(results);
    const stored = one(await storage.getCCVData(first.messageId));
    expect(stored).toMatchObject({ verifierName: 'agg-0', attestationMs: first.attestationMs });
    expect(Buffer.compare(stored.ccvData, first.ccvData)).toBe(0);
    expect(await storage.getCursor(SOURCE)).toMatchObject({ height: 238n, hash: announced.messageId });
  });

  it('begins at Since while no cursor is stored, and at the cursor afterwards', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    publishAll(aggregator, make.results(5));
    const first = start({ since: 4n });
    await untilRead(storage, 5n);
    await first.stop();
    expect(await messagesOf(storage)).toBe(2);
    const from = aggregator.requests.length;
    start({ since: 1n, overlap: 0n });
    aggregator.publish(one(make.results(1)));
    await untilRead(storage, 6n);
    // a last look ahead of the first run may arrive only now: it asks for neither
    const asked = aggregator.requests.slice(from).map(({ bytes }) => decodeSince(bytes));
    expect(asked).toContain(5n);
    expect(asked).not.toContain(1n);
    expect(await messagesOf(storage)).toBe(3);
  });

  it('promise 10: quarantines entries that fail a check under their sequence, and the cursor passes them', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const good = make.results(2);
    const bad = Buffer.from('0a7f00', 'hex');
    const stranger = { ...one(make.results(1)), verifierSourceAddress: make.hex(20) };
    const wrongHash = { ...one(make.results(1)), messageExecutorAddress: make.hex(20) };
    aggregator.publish(one(good));
    aggregator.publishBytes(bad);
    aggregator.publishBytes(Buffer.alloc(0));
    aggregator.publish(stranger);
    aggregator.publish(wrongHash);
    aggregator.publish(one(good.slice(1)));
    aggregator.publishBytes(bad);
    const running = start();
    await untilRead(storage, 7n);
    const entries = await storage.queryQuarantine({ afterPosition: 0n, limit: 10 });
    expect(entries.map(({ sourceId, key, reason }) => [sourceId, key.split(':')[0], reason])).toEqual([
      [SOURCE, '2', 'shape'],
      [SOURCE, '3', 'empty'],
      [SOURCE, '4', 'source_not_in_message'],
      [SOURCE, '5', 'ccv_and_executor_hash'],
      [SOURCE, '7', 'shape'],
    ]);
    expect(Buffer.compare(entries[0]?.raw ?? Buffer.alloc(0), bad)).toBe(0);
    // the message of a result that fails a check of its own stands: it commits to its addresses
    expect(await messagesOf(storage)).toBe(3);
    expect(await resultsOf(storage)).toBe(2);
    expect(await storage.getCursor(SOURCE)).toMatchObject({ height: 7n, hash: null });
    aggregator.publish(one(make.results(1)));
    await untilRead(storage, 8n);
    expect(running.status()).toMatchObject({ lastError: null, counts: { quarantined: 5, setBacks: 0 } });
  });

  it('promise 10: quarantines once an entry without a sequence, and reads on after it', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const running = start();
    const first = one(make.results(1));
    aggregator.publish(first);
    await untilRead(storage, 1n);
    const page = encodePage([{ sequence: 1n, result: encodeResult(first) }]);
    const strange = Buffer.concat([page, bytesField(1, Buffer.from('0b', 'hex'))]);
    aggregator.answer(({ bytes }) => (decodeSince(bytes) === 1n ? strange : null));
    await eventually('it is seen', () => running.status().counts.quarantined === 1);
    aggregator.answer(null);
    aggregator.publish(one(make.results(1)));
    await untilRead(storage, 2n);
    const [entry] = await storage.queryQuarantine({ afterPosition: 0n, limit: 10 });
    expect(entry).toMatchObject({ reason: 'sequence', messageId: null });
    expect(running.status().counts).toMatchObject({ quarantined: 1, setBacks: 0 });
  });

  it('finds entries that commit below the cursor', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const running = start();
    const late = make.results(3);
    const drawn = late.map((result, index) => {
      publishAll(aggregator, make.results(index === 1 ? 150 : 2));
      const entry = aggregator.draw(result);
      aggregator.skip(1n);
      return entry;
    });
    const last = aggregator.publish(one(make.results(1)));
    await untilRead(storage, last);
    expect(await messagesOf(storage)).toBe(155);
    for (const entry of drawn.reverse()) entry.commit();
    await eventually('all are found', async () => (await messagesOf(storage)) === 158);
    expect(running.status()).toMatchObject({ sequence: last, counts: { late: 3, conflicts: 0, setBacks: 0 } });
    for (const { messageId } of late) expect(await storage.getCCVData(messageId)).toHaveLength(1);
  });

  it('finds after a start an entry that committed below the cursor meanwhile', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const late = one(make.results(1));
    publishAll(aggregator, make.results(130));
    const drawn = aggregator.draw(late);
    const last = aggregator.publish(one(make.results(1)));
    const before = start();
    await untilRead(storage, last);
    await before.stop();
    drawn.commit();
    const running = start();
    await eventually('it is found', async () => (await messagesOf(storage)) === 132);
    await eventually('it is counted', () => running.status().counts.late === 1);
    expect(await cursorOf(storage)).toBe(last);
  });

  it('reads nothing again below the gaps', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    publishAll(aggregator, make.results(50));
    start({ since: 1n });
    await untilRead(storage, 50n);
    aggregator.skip(1n);
    const last = aggregator.publish(one(make.results(1)));
    await untilRead(storage, last);
    const from = aggregator.requests.length;
    await eventually('it has polled a few times', () => aggregator.requests.length >= from + 10);
    const asked = new Set(aggregator.requests.slice(from).map(({ bytes }) => decodeSince(bytes)));
    expect([...asked].filter((since) => since <= last).sort()).toEqual([51n, 52n]);
  });

  it('goes on after dropped connections, a full queue, and an answer of 4 MiB and a byte', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const running = start();
    aggregator.publish(one(make.results(1)));
    await untilRead(storage, 1n);
    aggregator.dropConnections();
    aggregator.publish(one(make.results(1)));
    await untilRead(storage, 2n);

    aggregator.answer(() => ({ code: status.RESOURCE_EXHAUSTED, details: 'aggregation queue full' }));
    await eventually('it is told', () => running.status().lastError?.message.includes('queue full') === true);
    aggregator.answer(null);
    aggregator.publish(one(make.results(1)));
    await untilRead(storage, 3n);

    aggregator.publish(one(make.results(1)));
    aggregator.answer(() => Buffer.alloc(4 * 1024 * 1024 + 1));
    await eventually('it is failing', () => running.status().state === 'failing');
    expect(running.status().lastError?.message).toContain('raise MaxResponseBytes');
    expect(await cursorOf(storage)).toBe(3n);
    aggregator.answer(null);
    await untilRead(storage, 4n);
    expect(running.status()).toMatchObject({ state: 'reading', lastError: null, failuresInARow: 0 });
    expect(await messagesOf(storage)).toBe(4);
  });

  it('says that a clock is wrong, and stores nothing until it is right', async () => {
    let offMs = 60_000;
    const { aggregators, storage, start } = await openDiscovery(1, { nowMs: () => Date.now() + offMs });
    const [aggregator] = aggregators as [AggregatorServer];
    aggregator.publish(one(make.results(1)));
    const running = start();
    await eventually('it is failing', () => running.status().state === 'failing');
    expect(running.status().lastError).toMatchObject({ code: 'AGGREGATOR_CALL' });
    expect(running.status().lastError?.message).toMatch(/Unauthenticated.*clock/);
    expect(await storage.getCursor(SOURCE)).toBeNull();
    offMs = 0;
    await untilRead(storage, 1n);
  });

  it('promise 1: moves no cursor when a page is not stored, and reads it again', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    publishAll(aggregator, make.results(250));
    let batches = 0;
    const store = {
      getCursor: (id: string) => storage.getCursor(id),
      insertBatch: async (batch: Parameters<Storage['insertBatch']>[0]) => {
        batches += 1;
        if (batches === 2) throw new StorageUnavailableError('warm', 'write');
        return await storage.insertBatch(batch);
      },
    };
    const failed = start({ store });
    await expect(failed.ended).rejects.toThrow(StorageUnavailableError);
    expect(await cursorOf(storage)).toBe(100n);
    expect(await messagesOf(storage)).toBe(100);
    start({ store });
    await untilRead(storage, 250n);
    expect(await messagesOf(storage)).toBe(250);
  });
});
