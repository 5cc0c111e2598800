import { expect, test } from 'vitest';
import type { WriteBatch } from '../../../src/model/batch.js';
import { changedRecord } from '../../../src/model/identity.js';
import { createRecordMaker } from '../../support/records.js';
import type { Use } from '../subject.js';

export function positionCases(use: Use): void {
  test('promise 6: the positions of a batch of mixed kinds go by kind, in one order everywhere', async () => {
    const { storage } = use();
    const make = createRecordMaker(71);
    const [stored, other] = [make.message(), make.message()];
    await storage.insertBatch({ messages: [stored], verifierResults: make.results(1) });
    const { headPosition } = await storage.changesAfter(0n);

    const quarantined = (key: string) => ({
      ...{ sourceId: 'aggregator', key, reason: 'BAD_SIGNATURE', detail: 'one signer is unknown' },
      ...{ raw: make.bytes(8), messageId: null },
    });
    const move = (sourceId: string) => ({ sourceId, height: 5n, hash: null, expectedHeight: null });
    const messages = Array.from({ length: 3 }, () => make.message({ ccvs: [make.hex(20), make.hex(20)] }));
    const batch: WriteBatch = {
      messages: [...messages, { ...stored, encodedMessage: other.encodedMessage }],
      verifierResults: messages.flatMap((message) => [make.result(message, 1), make.result(message, 0)]),
      statuses: [{ messageId: stored.messageId, status: 'success' }],
      quarantine: [quarantined('z'), quarantined('a')],
      cursors: [move('z'), move('a')],
    };
    const outcome = await storage.insertBatch(batch);
    const { changes } = await storage.changesAfter(headPosition);

    const text = (a: string, b: string) => (a < b ? -1 : 1);
    const results = (batch.verifierResults ?? []).map(
      (result) => result.messageId + result.verifierSourceAddress + result.verifierDestAddress,
    );
    expect(changes.map((change) => change.position)).toEqual(
      Array.from({ length: 3 + 1 + 6 + 2 + 1 + 2 }, (_, index) => headPosition + BigInt(index) + 1n),
    );
    expect(changes.map(changedRecord)).toEqual([
      ...[...messages, stored].map(({ messageId }) => `message ${messageId}`).sort(text),
      ...results.map((identity) => `verifierResult ${identity}`).sort(text),
      'quarantine aggregator\0z',
      'quarantine aggregator\0a',
      ...outcome.conflicts.map(
        (conflict) => `conflict message\0${stored.messageId}\0${'0x'}\0${'0x'}\0${conflict.receivedHash}`,
      ),
      'cursor z',
      'cursor a',
    ]);
  });
}
