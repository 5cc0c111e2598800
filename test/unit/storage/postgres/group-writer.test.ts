import { expect, test } from 'vitest';
import { createCommon } from '../../../../src/core/common.js';
import { takeBatch } from '../../../../src/model/commit/given-batch.js';
import type { Transaction } from '../../../../src/storage/postgres/connection/transaction.js';
import { hashBody } from '../../../../src/storage/postgres/rows/message-body.js';
import { createGroupWriter } from '../../../../src/storage/postgres/write/group-writer.js';
import { createLoadedState } from '../../../../src/storage/postgres/write/loaded-state.js';
import { createRecordMaker } from '../../../support/records.js';

const make = createRecordMaker(83);

test('a conflict with a body that its table no longer has is recalled, and the lock is let go', async () => {
  const message = make.message();
  const { messageId } = message;
  const state = createLoadedState();
  const body = { firstMs: 1, body: null, bodyHash: hashBody(message), isBodyPruned: false, isPruned: false };
  state.ids.set(messageId, { ...body, message: undefined, results: [] });
  const clock = { lastMs: 1, lastPosition: 1n, lastMovePosition: 0n, headPosition: 1n, floorMs: -1, floorPosition: 0n };
  let [loads, rollbacks] = [0, 0];
  const parts = {
    ...{ common: createCommon(), name: 'warm' },
    reader: {
      lockAndRead: async () => ({ clock, state }),
      async readLacking() {
        loads += 1;
        if (loads > 9) throw new Error('it would load for ever');
      },
    },
    hub: { coverage: () => ({ throughPosition: 1n }), requireSeen: () => undefined },
  };
  const writer = createGroupWriter(parts as unknown as Parameters<typeof createGroupWriter>[0]);
  const rollback = async () => {
    rollbacks += 1;
  };
  const transaction = { rollback } as unknown as Transaction;
  const liar = takeBatch({ messages: [{ ...message, messageExecutorAddress: make.hex(20) }] }, hashBody);
  expect(await writer.run(transaction, [liar], new Map())).toEqual({ kind: 'recall', lacking: new Set([messageId]) });
  expect([loads, rollbacks]).toEqual([1, 1]);
});
