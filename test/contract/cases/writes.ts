import { expect, onTestFinished, test, vi } from 'vitest';
import { messagePayloadHash, verifierResultPayloadHash } from '../../../src/model/payload.js';
import { insertCCVData } from '../../../src/storage/insert-ccv-data.js';
import { createRecordMaker } from '../../support/records.js';
import { fieldsOf, plain, type Use } from '../subject.js';

export function writeCases(use: Use): void {
  const make = createRecordMaker(1);

  test('a stored verifier result reads back by id with every field and its stamp', async () => {
    const { storage } = use();
    const [result] = make.results(1);
    const outcome = await storage.insertBatch({ verifierResults: [result!] });
    expect(outcome).toMatchObject({ messages: [], verifierResults: ['inserted'], conflicts: [] });
    const [stored, ...rest] = await storage.getCCVData(result!.messageId);
    expect(rest).toEqual([]);
    expect(fieldsOf(stored!, result!)).toEqual(plain(result));
    expect(stored).toMatchObject({
      ingestionMs: outcome.committed?.ingestionMs,
      firstMs: outcome.committed?.ingestionMs,
      position: 1n,
      orphaned: false,
    });
    expect(outcome.committed?.throughPosition).toBe(1n);
  });

  test('the results of one message come ordered by verifier source and destination address', async () => {
    const { storage } = use();
    const message = make.message();
    const addresses = [
      ['0x02', '0x01'],
      ['0x01', '0x02'],
      ['0x0100', '0x'],
      ['0x', '0xff'],
      ['0x01', '0x01'],
    ] as const;
    for (const [source, dest] of addresses) await insertCCVData(storage, make.result(message, 0, { source, dest }));
    const stored = await storage.getCCVData(message.messageId);
    expect(stored.map((result) => [result.verifierSourceAddress, result.verifierDestAddress])).toEqual([
      ['0x', '0xff'],
      ['0x01', '0x01'],
      ['0x01', '0x02'],
      ['0x0100', '0x'],
      ['0x02', '0x01'],
    ]);
  });

  test('insertCCVData says that a result is stored already, and that another one is', async () => {
    const { storage } = use();
    const [result] = make.results(1);
    await insertCCVData(storage, result!);
    await expect(insertCCVData(storage, result!)).rejects.toMatchObject({ name: 'DuplicateCCVDataError' });
    await expect(insertCCVData(storage, { ...result!, ccvData: make.bytes(9) })).rejects.toMatchObject({
      name: 'ConflictingCCVDataError',
    });
    expect(await storage.queryConflicts({ afterPosition: 0n, limit: 10 })).toHaveLength(1);
  });

  test('an id that nobody stored is not found, and its message neither', async () => {
    const { storage } = use();
    const message = make.message();
    await expect(storage.getCCVData(message.messageId)).rejects.toMatchObject({ name: 'CCVDataNotFoundError' });
    await expect(storage.getMessage(message.messageId)).rejects.toMatchObject({ name: 'MessageNotFoundError' });
    await insertCCVData(storage, make.result(message));
    await expect(storage.getMessage(message.messageId)).rejects.toMatchObject({ name: 'MessageNotFoundError' });
    const other = make.message();
    await storage.insertBatch({ messages: [other] });
    await expect(storage.getCCVData(other.messageId)).rejects.toMatchObject({ name: 'CCVDataNotFoundError' });
  });

  test('promise 2: duplicates inside one batch are successes, the first is stored', async () => {
    const { storage } = use();
    const [a, b] = make.results(2);
    const message = make.message();
    const outcome = await storage.insertBatch({
      messages: [message, message],
      verifierResults: [a!, b!, { ...a!, attestationMs: 5, verifierName: 'other' }, a!],
    });
    expect(outcome.messages).toEqual(['inserted', 'duplicate']);
    expect(outcome.verifierResults).toEqual(['inserted', 'inserted', 'duplicate', 'duplicate']);
    expect(outcome.committed?.throughPosition).toBe(3n);
    expect(fieldsOf((await storage.getCCVData(a!.messageId))[0]!, a!)).toEqual(plain(a));
  });

  test('a batch of which everything is stored changes nothing and commits nothing', async () => {
    const { storage } = use();
    const batch = { messages: [make.message()], verifierResults: make.results(3) };
    const first = await storage.insertBatch(batch);
    const before = await storage.changesAfter(0n);
    const second = await storage.insertBatch(batch);
    expect(second).toEqual({
      messages: ['duplicate'],
      verifierResults: ['duplicate', 'duplicate', 'duplicate'],
      executions: [],
      conflicts: [],
      committed: null,
    });
    expect(plain((await storage.changesAfter(0n)).changes)).toEqual(plain(before.changes));
    expect((await storage.insertBatch({})).committed).toBeNull();
    expect((await storage.changesAfter(0n)).headPosition).toBe(first.committed?.throughPosition);
  });

  test('promise 5: times still rise strictly when the clock goes back between two commits', async () => {
    const { storage } = use();
    const commitOne = async () => {
      const { committed } = await storage.insertBatch({ messages: [make.message()] });
      return committed!.ingestionMs;
    };
    const firstMs = await commitOne();
    // far enough to see, and within what a server of objects lets a signature be off
    const wall = vi.spyOn(Date, 'now').mockImplementation(() => firstMs - 60_000);
    onTestFinished(() => wall.mockRestore());
    const times = [firstMs, await commitOne(), await commitOne()];
    expect(times).toEqual([firstMs, firstMs + 1, firstMs + 2]);
    expect((await storage.queryMessages({ limit: 10 })).items.map((item) => item.ingestionMs)).toEqual(times);
    wall.mockRestore();
    expect(await commitOne()).toBeGreaterThan(firstMs + 2);
  });

  test('of concurrent batches with the same records exactly one inserts each', async () => {
    const { storage } = use();
    const results = make.results(20);
    const messages = Array.from({ length: 5 }, () => make.message());
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => storage.insertBatch({ messages, verifierResults: results })),
    );
    for (let i = 0; i < results.length; i += 1)
      expect(outcomes.filter((outcome) => outcome.verifierResults[i] === 'inserted')).toHaveLength(1);
    for (let i = 0; i < messages.length; i += 1)
      expect(outcomes.filter((outcome) => outcome.messages[i] === 'inserted')).toHaveLength(1);
    expect((await storage.countCCVData({})).count).toBe(20);
    expect((await storage.changesAfter(0n)).headPosition).toBe(25n);
  });

  test('promise 2: the same identity with other bytes is a conflict: the first stays, the second is recorded once', async () => {
    const { storage } = use();
    const [result] = make.results(1);
    const other = { ...result!, ccvData: make.bytes(40) };
    await insertCCVData(storage, result!);
    const outcome = await storage.insertBatch({ verifierResults: [other, result!] });
    expect(outcome.verifierResults).toEqual(['conflict', 'duplicate']);
    const conflict = {
      record: 'verifierResult',
      messageId: result!.messageId,
      verifierSourceAddress: result!.verifierSourceAddress,
      verifierDestAddress: result!.verifierDestAddress,
      storedHash: verifierResultPayloadHash(result!),
      receivedHash: verifierResultPayloadHash(other),
    };
    expect(outcome.conflicts).toEqual([conflict]);
    const again = await storage.insertBatch({ verifierResults: [other] });
    expect(again).toMatchObject({ verifierResults: ['conflict'], conflicts: [conflict], committed: null });
    expect(await storage.queryConflicts({ afterPosition: 0n, limit: 10 })).toEqual([
      { ...conflict, ...{ ingestionMs: outcome.committed?.ingestionMs, position: 2n } },
    ]);
    expect(fieldsOf((await storage.getCCVData(result!.messageId))[0]!, result!)).toEqual(plain(result));
    const third = { ...result!, ccvData: make.bytes(41) };
    await storage.insertBatch({ verifierResults: [third] });
    expect(await storage.queryConflicts({ afterPosition: 2n, limit: 10 })).toMatchObject([
      { receivedHash: verifierResultPayloadHash(third), position: 3n },
    ]);
  });

  test('conflicts inside one batch and between concurrent ones leave one winner each', async () => {
    const { storage } = use();
    const [result] = make.results(1);
    const rivals = Array.from({ length: 6 }, (_, i) => ({ ...result!, ccvData: Uint8Array.of(9, 9, 9, 9, 9, i) }));
    const outcomes = await Promise.all(
      [rivals.slice(0, 2), rivals.slice(2, 4), rivals.slice(4)].map((verifierResults) =>
        storage.insertBatch({ verifierResults }),
      ),
    );
    const verdicts = outcomes.flatMap((outcome) => outcome.verifierResults);
    expect(verdicts.filter((verdict) => verdict === 'inserted')).toHaveLength(1);
    expect(verdicts.filter((verdict) => verdict === 'conflict')).toHaveLength(5);
    const [stored] = await storage.getCCVData(result!.messageId);
    expect(plain(stored!.ccvData)).toBe(plain(rivals[verdicts.indexOf('inserted')]!.ccvData));
    const conflicts = await storage.queryConflicts({ afterPosition: 0n, limit: 10 });
    expect(new Set(conflicts.map((conflict) => conflict.receivedHash)).size).toBe(5);
    expect(new Set(conflicts.map((conflict) => conflict.storedHash))).toEqual(
      new Set([verifierResultPayloadHash({ ...result!, ccvData: stored!.ccvData })]),
    );
  });

  test('the second verifier result of a message with another body is a conflict with the stored body', async () => {
    const { storage } = use();
    const message = make.message({ ccvs: [make.hex(20), make.hex(20)] });
    await insertCCVData(storage, make.result(message, 0));
    const lying = { ...make.result(message, 1), messageExecutorAddress: make.hex(20) };
    const outcome = await storage.insertBatch({ verifierResults: [lying] });
    expect(outcome.verifierResults).toEqual(['conflict']);
    expect(outcome.conflicts).toMatchObject([
      {
        record: 'verifierResult',
        verifierSourceAddress: lying.verifierSourceAddress,
        storedHash: messagePayloadHash(message),
        receivedHash: verifierResultPayloadHash(lying),
      },
    ]);
    expect(await storage.getCCVData(message.messageId)).toHaveLength(1);
  });

  test('a message and a verifier result of one id agree on the body, whichever was stored first', async () => {
    const { storage } = use();
    const first = make.message();
    await storage.insertBatch({ messages: [first] });
    const result = { ...make.result(first), messageCCVAddresses: [make.hex(20)] };
    expect((await storage.insertBatch({ verifierResults: [result] })).verifierResults).toEqual(['conflict']);
    await expect(storage.getCCVData(first.messageId)).rejects.toMatchObject({ name: 'CCVDataNotFoundError' });

    const second = make.message();
    await insertCCVData(storage, make.result(second));
    const lying = { ...second, encodedMessage: make.message().encodedMessage };
    const outcome = await storage.insertBatch({ messages: [lying, second] });
    expect(outcome.messages).toEqual(['conflict', 'inserted']);
    expect(outcome.conflicts).toEqual([
      {
        record: 'message',
        messageId: second.messageId,
        verifierSourceAddress: '0x',
        verifierDestAddress: '0x',
        storedHash: messagePayloadHash(second),
        receivedHash: messagePayloadHash(lying),
      },
    ]);
    expect(fieldsOf(await storage.getMessage(second.messageId), second)).toEqual(plain(second));
  });

  test('promise 6: ingestion times rise with every commit, positions have no gap and follow the list inside a commit', async () => {
    const { storage } = use();
    let lastMs = -1;
    let lastPosition = 0n;
    for (let commit = 0; commit < 5; commit += 1) {
      const outcome = await storage.insertBatch({ verifierResults: make.results(7) });
      expect(outcome.committed!.ingestionMs).toBeGreaterThan(lastMs);
      expect(outcome.committed!.throughPosition).toBe(lastPosition + 7n);
      lastMs = outcome.committed!.ingestionMs;
      lastPosition += 7n;
    }
    const { items } = await storage.queryCCVData({});
    expect(items.map((result) => result.position)).toEqual(Array.from({ length: 35 }, (_, i) => BigInt(i + 1)));
  });

  test('every record knows when the first of its message was stored', async () => {
    const { storage } = use();
    const message = make.message({ ccvs: [make.hex(20), make.hex(20)] });
    const first = await storage.insertBatch({ verifierResults: [make.result(message, 0)] });
    await storage.insertBatch({ verifierResults: [make.result(message, 1)], messages: [message] });
    const firstMs = first.committed!.ingestionMs;
    expect((await storage.getCCVData(message.messageId)).map((result) => result.firstMs)).toEqual([firstMs, firstMs]);
    expect((await storage.getMessage(message.messageId)).firstMs).toBe(firstMs);
  });
}
