import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import type { NewMessage } from '../../../src/model/records.js';
import { MemoryBucket } from '../../simulation/process/memory-object-store.js';
import {
  createPrunedProcesses,
  flushAll,
  type PrunedProcesses,
  pruneAll,
} from '../../support/sink/pruned-processes.js';

describe('a transaction in a Sink whose database is pruned', () => {
  let processes: PrunedProcesses;
  beforeEach(async () => {
    processes = await createPrunedProcesses(61);
  });
  afterEach(() => processes.close());

  test('promise 3: is told whole: pruned messages from the cold tier, those that moved since from neither, never less', async () => {
    const { make } = processes;
    const process = await processes.open({ withoutHot: true });
    const { sink, warm } = process;
    const hash = make.hex(32);
    const at = (logIndex: number, transactionHash: Hex = hash) => ({ ...make.origin(9n), transactionHash, logIndex });
    const sent = [1, 2, 3, 4].map((logIndex) => make.message({ origin: at(logIndex) }));
    const [stays, moves, pending, goes] = sent as [NewMessage, NewMessage, NewMessage, NewMessage];
    await sink.insertBatch({
      messages: sent,
      executions: [{ ...make.execution(stays), place: at(7) }],
      statuses: [stays, moves, goes].map(({ messageId }) => ({ messageId, status: 'success' })),
    });
    const told = async () => {
      const { value, ...range } = await sink.getTransaction(hash);
      expect(range).toEqual({ afterPosition: 0n, throughPosition: warm.coverage().throughPosition });
      expect(value.executions.map(({ messageId }) => messageId)).toEqual([stays.messageId]);
      return value.messages.map(({ messageId, orphaned }) => [messageId, orphaned]);
    };
    const places = sent.map(({ messageId }) => [messageId, false]);
    expect(await told()).toEqual(places);
    await pruneAll(process);
    expect((await warm.getTransaction(hash)).value.messages.map(({ messageId }) => messageId)).toEqual([
      pending.messageId,
    ]);
    expect(await told()).toEqual(places);

    // the cold tier has not heard of these, and the database has one of them in another transaction
    const orphaning = ({ messageId, origin }: NewMessage) => ({ messageId, blockHash: origin!.blockHash });
    await sink.insertBatch({ orphanings: [orphaning(moves), orphaning(goes)] });
    await sink.insertBatch({ messages: [{ ...moves, origin: at(1, make.hex(32)) }] });
    const now = [places[0], places[2], [goes.messageId, true]];
    expect(await told()).toEqual(now);

    process.cold.fail();
    await expect(sink.getTransaction(hash)).rejects.toMatchObject({
      name: 'CoverageGapError',
      gap: { kind: 'transaction', transactionHash: hash },
    });
    process.cold.heal();
    process.leader.fail(['getTransaction']);
    await expect(sink.getTransaction(hash)).rejects.toMatchObject({ retryable: true });
    process.leader.heal();
    await flushAll(process);
    expect(await told()).toEqual(now);
  });

  test('is told beside commits that come while it is read', async () => {
    const { make } = processes;
    const process = await processes.open({ withoutHot: true });
    const { sink, cold } = process;
    const message = make.message();
    await sink.insertBatch({
      messages: [message],
      statuses: [{ messageId: message.messageId, status: 'success' }],
    });
    await pruneAll(process);
    cold.before('getTransaction', async () => {
      await sink.insertBatch({ messages: [make.message()] });
    });
    const { value } = await sink.getTransaction(message.origin!.transactionHash);
    expect(value.messages.map(({ messageId }) => messageId)).toEqual([message.messageId]);
  });

  test('once it is told, no list of the process is of a state before', async () => {
    const { make } = processes;
    const writer = await processes.open();
    const reader = await processes.open();
    const release = reader.leader.hold('changesAfter');
    const message = make.message();
    await writer.sink.insertBatch({ messages: [message] });
    try {
      const { value } = await reader.sink.getTransaction(message.origin!.transactionHash);
      expect(value.messages).toHaveLength(1);
      const { items } = await reader.sink.queryMessages({});
      expect(items.map(({ messageId }) => messageId)).toEqual([message.messageId]);
    } finally {
      release();
    }
  });

  test('promise 3: is told by a process that has not looked yet how far another has flushed', async () => {
    const { make } = processes;
    const bucket = new MemoryBucket();
    const writer = await processes.open({ withoutHot: true, bucket });
    const reader = await processes.open({ withoutHot: true, bucket, refreshIntervalMs: 1e9 });
    const message = make.message();
    const { transactionHash } = message.origin!;
    await writer.sink.insertBatch({
      messages: [message],
      statuses: [{ messageId: message.messageId, status: 'success' }],
    });
    await pruneAll(writer);
    expect(reader.lagging.storage.coverage().throughPosition).toBe(0n);
    const { value } = await reader.sink.getTransaction(transactionHash);
    expect(value.messages).toMatchObject([{ messageId: message.messageId, status: 'success' }]);
  });
});
