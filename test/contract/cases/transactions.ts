import { expect, test } from 'vitest';
import { logOf } from '../../../src/model/identity.js';
import type { MessageOrigin, NewMessage } from '../../../src/model/records.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createRecordMaker } from '../../support/records.js';
import { plain, type Use } from '../subject.js';

export function transactionCases(use: Use): void {
  const make = createRecordMaker(47);
  const other = make.hex(32);

  /** A message whose log is at a place of a transaction. */
  function sentIn(transactionHash: MessageOrigin['transactionHash'], logIndex: number): NewMessage {
    return make.message({ origin: { ...make.origin(20n), transactionHash, logIndex } });
  }

  async function found(storage: Storage, transactionHash: MessageOrigin['transactionHash']) {
    const { value, afterPosition } = await storage.getTransaction(transactionHash);
    expect(afterPosition).toBe(0n);
    return {
      messages: value.messages.map(({ messageId, orphaned }) => [messageId, orphaned]),
      executions: value.executions.map(({ messageId, orphaned, place }) => [messageId, place.logIndex, orphaned]),
    };
  }

  test('promise 3: a transaction has all messages and executions of its logs, in their order, and no others', async () => {
    const { storage } = use();
    const hash = make.hex(32);
    const [late, early, apart] = [sentIn(hash, 9), sentIn(hash, 2), sentIn(other, 5)];
    const execution = make.execution(apart);
    const made = { ...execution, place: { ...execution.place, transactionHash: hash, logIndex: 70 } };
    await storage.insertBatch({ messages: [late, apart, make.message({ origin: null })] });
    const { committed } = await storage.insertBatch({
      messages: [early],
      executions: [execution, made],
      // a database is pruned of what is done
      statuses: [late, early, apart].map(({ messageId }) => ({ messageId, status: 'success' })),
    });
    const { value, throughPosition } = await storage.getTransaction(hash);
    expect(throughPosition).toBe(committed!.throughPosition);
    expect(plain(value)).toEqual(
      plain({
        messages: [await storage.getMessage(early.messageId), await storage.getMessage(late.messageId)],
        executions: (await storage.getExecutions(apart.messageId)).filter(({ place }) => place.logIndex === 70),
      }),
    );
    expect(await found(storage, make.hex(32))).toEqual({ messages: [], executions: [] });
    expect(await found(storage, make.hex(64))).toEqual({ messages: [], executions: [] });
    await expect(storage.getTransaction('0xAB')).rejects.toThrow('transactionHash');
  });

  test('promise 9: records that a reorg removed stay with their transaction, until they return in another', async () => {
    const { storage } = use();
    const [hash, next] = [make.hex(32), make.hex(32)];
    const [gone, stays] = [sentIn(hash, 1), sentIn(hash, 3)];
    const execution = make.execution(stays);
    const made = { ...execution, place: { ...execution.place, transactionHash: hash, logIndex: 2 } };
    await storage.insertBatch({ messages: [gone, stays], executions: [made] });
    await storage.insertBatch({
      orphanings: [{ messageId: gone.messageId, blockHash: gone.origin!.blockHash }],
      executionOrphanings: [logOf(made)],
    });
    const messages = [
      [gone.messageId, true],
      [stays.messageId, false],
    ];
    expect(await found(storage, hash)).toEqual({ messages, executions: [[stays.messageId, 2, true]] });
    const back = { ...gone, origin: { ...make.origin(30n), transactionHash: next } };
    await storage.insertBatch({ messages: [back], executions: [made] });
    const left = { messages: messages.slice(1), executions: [[stays.messageId, 2, false]] };
    expect(await found(storage, hash)).toEqual(left);
    expect(await found(storage, next)).toEqual({ messages: [[gone.messageId, false]], executions: [] });
    // and again from there
    await storage.insertBatch({ orphanings: [{ messageId: gone.messageId, blockHash: back.origin.blockHash }] });
    expect(await found(storage, hash)).toEqual(left);
    expect(await found(storage, next)).toEqual({ messages: [[gone.messageId, true]], executions: [] });
  });
}
