import { expect, test } from 'vitest';
import { logOf } from '../../../src/model/identity.js';
import { executionPayloadHash } from '../../../src/model/payload.js';
import type { Execution } from '../../../src/model/records.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';
import { plain, type Use } from '../subject.js';

export function executionCases(use: Use): void {
  const make = createRecordMaker(31);

  const idsAbove = async (storage: Storage, dest: bigint, after: bigint, through?: bigint) =>
    (await storage.executionsAboveBlock(dest, after, through)).map(({ place }) => [place.blockNumber, place.logIndex]);

  test('promise 6: executions take positions behind results and before quarantine, in the order of their chain', async () => {
    const { storage } = use();
    const message = make.message();
    const [late, early] = [9n, 7n].map((blockNumber) => make.execution(message, { blockNumber }));
    const raw = make.bytes(3);
    const outcome = await storage.insertBatch({
      messages: [message],
      verifierResults: [make.result(message)],
      executions: [late!, early!],
      quarantine: [{ sourceId: 's', key: 'k', reason: 'ABI', detail: '', raw, messageId: null }],
    });
    expect(outcome).toMatchObject({ executions: ['inserted', 'inserted'], committed: { throughPosition: 5n } });
    const { changes } = await storage.changesAfter(0n);
    expect(changes.map(({ kind, position }) => [kind, position])).toEqual([
      ['message', 1n],
      ['verifierResult', 2n],
      ['execution', 3n],
      ['execution', 4n],
      ['quarantine', 5n],
    ]);
    const stamp = { ingestionMs: outcome.committed!.ingestionMs, orphaned: false };
    const stored = [
      { ...early, ...stamp, position: 3n },
      { ...late, ...stamp, position: 4n },
    ];
    expect(plain(await storage.getExecutions(message.messageId))).toEqual(plain(stored));
    expect(plain(changes.slice(2, 4).map(({ record }) => record))).toEqual(plain(stored));
  });

  test('promise 2: an execution again is a duplicate; another one of the same log is a conflict, recorded once', async () => {
    const { storage } = use();
    const execution = make.execution(make.message(), { state: 'failure' });
    const other: Execution = { ...execution, state: 'success' };
    await storage.insertBatch({ executions: [execution, execution] });
    const again = await storage.insertBatch({ executions: [execution] });
    expect(again).toMatchObject({ executions: ['duplicate'], committed: null });
    const conflict = {
      record: 'execution',
      messageId: execution.messageId,
      verifierSourceAddress: '0x',
      verifierDestAddress: '0x',
      storedHash: executionPayloadHash(execution),
      receivedHash: executionPayloadHash(other),
    };
    expect(await storage.insertBatch({ executions: [other] })).toMatchObject({
      executions: ['conflict'],
      conflicts: [conflict],
      committed: { throughPosition: 2n },
    });
    expect((await storage.insertBatch({ executions: [other] })).committed).toBeNull();
    expect(await storage.queryConflicts({ afterPosition: 0n, limit: 10 })).toMatchObject([conflict]);
    expect(await storage.getExecutions(execution.messageId)).toMatchObject([{ state: 'failure', position: 1n }]);
  });

  test('a failure and the success after it are two executions; neither needs its message', async () => {
    const { storage } = use();
    const message = make.message();
    const failure = make.execution(message, { state: 'failure', blockNumber: 5n });
    const success = make.execution(message, { state: 'success', blockNumber: 6n });
    await storage.insertBatch({ executions: [failure] });
    await storage.insertBatch({ executions: [success] });
    const states = (await storage.getExecutions(message.messageId)).map(({ state }) => state);
    expect(states).toEqual(['failure', 'success']);
    await expect(storage.getMessage(message.messageId)).rejects.toMatchObject({ name: 'MessageNotFoundError' });
    expect(await storage.getExecutions(make.message().messageId)).toEqual([]);
    expect((await storage.queryMessages({})).items).toEqual([]);
  });

  test('promise 9: an orphaned execution stays with its message, leaves its block, and returns when its log is told again', async () => {
    const { storage } = use();
    const message = make.message();
    const execution = make.execution(message, { blockNumber: 50n });
    const dest = execution.destChainSelector;
    const stored = await storage.insertBatch({ messages: [message], executions: [execution] });
    const gone = await storage.insertBatch({ executionOrphanings: [logOf(execution)] });
    expect(gone.committed).toMatchObject({ throughPosition: 3n });
    const { ingestionMs } = stored.committed!;
    expect(await storage.getExecutions(message.messageId)).toMatchObject([
      { orphaned: true, position: 3n, ingestionMs },
    ]);
    expect(await idsAbove(storage, dest, 0n)).toEqual([]);
    expect((await storage.getMessage(message.messageId)).orphaned).toBe(false);
    expect((await storage.insertBatch({ executionOrphanings: [logOf(execution)] })).committed).toBeNull();
    const back = await storage.insertBatch({ executions: [execution] });
    expect(back).toMatchObject({ executions: ['returned'], committed: { throughPosition: 4n } });
    expect(await storage.getExecutions(message.messageId)).toMatchObject([
      { orphaned: false, position: 4n, ingestionMs },
    ]);
    expect((await storage.changesAfter(0n)).changes.map(({ position }) => position)).toEqual([1n, 4n]);
    const { orphaned } = (await storage.getExecutions(message.messageId))[0]!;
    expect(orphaned).toBe(false);
  });

  test('a batch that orphans a log and tells it again changes nothing; another block is another execution', async () => {
    const { storage } = use();
    const message = make.message();
    const execution = make.execution(message, { blockNumber: 50n });
    await storage.insertBatch({ executions: [execution] });
    const same = await storage.insertBatch({ executionOrphanings: [logOf(execution)], executions: [execution] });
    expect(same).toMatchObject({ executions: ['returned'], committed: null });
    const moved = { ...execution, place: { ...execution.place, blockNumber: 51n, blockHash: make.hex(32) } };
    await storage.insertBatch({ executionOrphanings: [logOf(execution)], executions: [moved] });
    const found = await storage.getExecutions(message.messageId);
    expect(found.map(({ orphaned, place }) => [orphaned, place.blockNumber])).toEqual([
      [true, 50n],
      [false, 51n],
    ]);
    await storage.insertBatch({ executionOrphanings: [{ ...logOf(moved), logIndex: 77 }] });
    expect(await idsAbove(storage, execution.destChainSelector, 0n)).toEqual([[51n, moved.place.logIndex]]);
  });

  test('executions above a block are those of one destination chain, in the order of blocks and logs', async () => {
    const { storage } = use();
    const to = (destChainSelector: bigint) => make.message({ destChainSelector });
    const at = (dest: bigint, blockNumber: bigint, logIndex: number) => {
      const execution = make.execution(to(dest), { blockNumber });
      return { ...execution, place: { ...execution.place, logIndex } };
    };
    const { mid, max } = SELECTORS;
    const executions = [at(mid, 12n, 3), at(mid, 10n, 9), at(max, 11n, 1), at(mid, 12n, 1), at(mid, 2n ** 62n, 0)];
    await storage.insertBatch({ executions: executions.slice(0, 3) });
    await storage.insertBatch({ executions: executions.slice(3) });
    const all = [
      [10n, 9],
      [12n, 1],
      [12n, 3],
      [2n ** 62n, 0],
    ];
    expect(await idsAbove(storage, mid, 0n)).toEqual(all);
    expect(await idsAbove(storage, mid, 10n)).toEqual(all.slice(1));
    expect(await idsAbove(storage, mid, 9n, 12n)).toEqual(all.slice(0, 3));
    expect(await idsAbove(storage, max, 0n)).toEqual([[11n, 1]]);
    expect(await idsAbove(storage, SELECTORS.low, 0n)).toEqual([]);
  });

  test('numbers of 64 bits, empty and large return data come back as they were given', async () => {
    const { storage } = use();
    const message = make.message({ sourceChainSelector: SELECTORS.max, destChainSelector: SELECTORS.high });
    const executions = [
      make.execution(message, { blockNumber: 1n, messageNumber: 2n ** 64n - 1n, returnData: new Uint8Array(0) }),
      make.execution(message, { blockNumber: 2n, returnData: make.bytes(100_000), offRamp: make.hex(32) }),
    ];
    await storage.insertBatch({ executions });
    const found = await storage.getExecutions(message.messageId);
    expect(plain(found.map(({ ingestionMs: _m, position: _p, orphaned: _o, ...rest }) => rest))).toEqual(
      plain(executions),
    );
  });

  test.each([
    ['state', { state: 'done' as Execution['state'] }],
    ['messageNumber', { messageNumber: 2n ** 64n }],
    ['place.blockHash', { place: { ...make.origin(1n), blockHash: '0x01' as const } }],
    ['messageId', { messageId: '0xAB' as const }],
  ])('an execution with a bad %s is refused, and the batch with it', async (field, wrong) => {
    const { storage } = use();
    const message = make.message();
    const executions = [make.execution(message), { ...make.execution(message), ...wrong }];
    const refused = storage.insertBatch({ messages: [message], executions });
    await expect(refused).rejects.toThrow(`executions[1].${field}`);
    await expect(storage.getMessage(message.messageId)).rejects.toMatchObject({ name: 'MessageNotFoundError' });
  });

  test('a verdict is stored with the first result, and a duplicate does not change it', async () => {
    const { storage } = use();
    const message = make.message({ ccvs: [make.hex(20), make.hex(20)] });
    const judged = { ...make.result(message, 0), verdict: { verdict: 'invalid', configBlock: 2n ** 40n } as const };
    const unjudged = { ...make.result(message, 1), verdict: null };
    await storage.insertBatch({ verifierResults: [judged, unjudged] });
    const other = { verdict: 'valid', configBlock: 1n } as const;
    const again = await storage.insertBatch({
      verifierResults: [
        { ...judged, verdict: other },
        { ...unjudged, verdict: other },
      ],
    });
    expect(again).toMatchObject({ verifierResults: ['duplicate', 'duplicate'], committed: null });
    const verdicts = (await storage.getCCVData(message.messageId)).map(({ verdict }) => verdict);
    expect(verdicts).toContainEqual(judged.verdict);
    expect(verdicts).toContainEqual(null);
    const listed = (await storage.queryCCVData({})).items.map(({ verdict }) => verdict);
    expect(listed).toEqual(verdicts);
  });
}
