import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import type { AggregatorServer } from '../../../scripts/devnet/aggregator/aggregator-server.js';
import type { VerifierResult } from '../../../src/model/records.js';
import { cursorOf, messagesOf, one, openDiscovery, publishAll, untilRead } from '../../support/discovery/discovery.js';
import { eventually } from '../../support/eventually.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(10);

describe('an aggregator beside other sources', () => {
  it('promise 2: of several sources the first wins, a chain adds the origin, and a disagreement is a conflict', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const origin = make.origin(7n);
    const [seen, unseen] = [make.message({ origin }), make.message({ origin })];
    await storage.insertBatch({ messages: [seen] });
    const disputed = make.result(unseen);
    publishAll(aggregator, [make.result(seen), disputed]);
    const running = start();
    await untilRead(storage, 2n);
    expect(await storage.getMessage(seen.messageId)).toMatchObject({ origin });
    expect(await storage.getMessage(unseen.messageId)).toMatchObject({ origin: null });
    expect((await storage.insertBatch({ messages: [unseen] })).messages).toEqual(['updated']);
    aggregator.publish({ ...disputed, ccvData: make.bytes(70) });
    await untilRead(storage, 3n);
    expect(running.status().counts).toMatchObject({ conflicts: 1, verifierResults: 2 });
    const stored = one(await storage.getCCVData(unseen.messageId));
    expect(Buffer.compare(stored.ccvData, disputed.ccvData)).toBe(0);
    expect(await storage.queryConflicts({ afterPosition: 0n, limit: 10 })).toMatchObject([
      { record: 'verifierResult', messageId: unseen.messageId },
    ]);
  });

  it('promise 9: an announcement does not bring back a message that a chain removed', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const message = make.message({ origin: make.origin(9n) });
    const { messageId } = message;
    await storage.insertBatch({ messages: [message] });
    await storage.insertBatch({ orphanings: [{ messageId, blockHash: message.origin?.blockHash ?? '0x' }] });
    aggregator.publish(make.result(message));
    start();
    await untilRead(storage, 1n);
    expect(await storage.getMessage(messageId)).toMatchObject({ orphaned: true });
    expect(await messagesOf(storage)).toBe(0);
  });
});

describe('an aggregator that has lost entries', () => {
  it('reads a source that restarted with lower sequences from Since again, and reports it', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const known = make.results(120);
    publishAll(aggregator, known);
    const running = start();
    await untilRead(storage, 120n);
    aggregator.restart(1n);
    await eventually('it is noticed', () => running.status().counts.setBacks === 1);
    // an empty source moves no cursor
    expect(await cursorOf(storage)).toBe(120n);
    publishAll(aggregator, known.slice(0, 30));
    aggregator.publish(one(make.results(1)));
    await untilRead(storage, 31n);
    expect(await messagesOf(storage)).toBe(121);
    publishAll(aggregator, make.results(3));
    await eventually('the status says so', () => running.status().sequence === 34n);
    expect(running.status().counts).toMatchObject({ setBacks: 1, conflicts: 0 });
    expect(running.status().lastSetBackMs).not.toBeNull();
  });

  it('notices a restart that has reached the cursor again by the message that is there', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    publishAll(aggregator, make.results(3));
    const before = start();
    await untilRead(storage, 3n);
    await before.stop();
    aggregator.restart(1n);
    publishAll(aggregator, make.results(3));
    const running = start();
    await eventually('all are found', async () => (await messagesOf(storage)) === 6);
    expect(running.status().counts.setBacks).toBe(1);
  });

  it('takes one answer without the last entry for a slow replica', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    publishAll(aggregator, make.results(3));
    const running = start();
    await untilRead(storage, 3n);
    let isEmpty = true;
    aggregator.answer(() => {
      const answer = isEmpty ? Buffer.alloc(0) : null;
      isEmpty = false;
      return answer;
    });
    await eventually('it has answered', () => !isEmpty);
    aggregator.publish(one(make.results(1)));
    await untilRead(storage, 4n);
    expect(running.status().counts.setBacks).toBe(0);
  });
});

describe('a group of aggregators', () => {
  it('is read from the next one while the first fails, and from the first once it answers again', async () => {
    const { aggregators, storage, start } = await openDiscovery(2);
    const [first, second] = aggregators as [AggregatorServer, AggregatorServer];
    const results = make.results(4);
    const both = (...part: readonly VerifierResult[]) => {
      publishAll(first, part);
      publishAll(second, part);
    };
    const running = start();
    both(one(results));
    await untilRead(storage, 1n);
    expect(running.status(1).state).toBe('standby');
    expect(second.requests).toHaveLength(0);

    first.answer(() => ({ code: status.UNAVAILABLE, details: 'down' }));
    both(one(results.slice(1)));
    await eventually('the second is read', async () => (await messagesOf(storage)) === 2);
    expect(running.status(0).state).toBe('failing');
    expect(running.status(1).state).toBe('reading');

    first.answer(null);
    both(one(results.slice(2)));
    await untilRead(storage, 3n);
    await eventually('the second stands by', () => running.status(1).state === 'standby');
    both(one(results.slice(3)));
    await untilRead(storage, 4n);
    expect(await messagesOf(storage)).toBe(4);
    expect(await storage.queryConflicts({ afterPosition: 0n, limit: 10 })).toEqual([]);
  });
});
