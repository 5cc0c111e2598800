import { expect, test } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import type { WriteBatch } from '../../../src/model/batch.js';
import { insertCCVData } from '../../../src/storage/insert-ccv-data.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';
import { fieldsOf, plain, type Use } from '../subject.js';

export function inputCases(use: Use): void {
  const make = createRecordMaker(2);

  test('selectors above 2^63 are kept, listed and filtered exactly', async () => {
    const { storage } = use();
    const wish = { sourceChainSelector: SELECTORS.max, destChainSelector: SELECTORS.high };
    const result = make.result(make.message(wish));
    await storage.insertBatch({ verifierResults: [result, ...make.results(2)] });
    for (const query of [
      { sourceChainSelectors: [SELECTORS.max] },
      { sourceChainSelectors: [SELECTORS.max], destChainSelectors: [SELECTORS.high] },
    ])
      expect((await storage.queryCCVData(query)).items.map((item) => item.messageId)).toEqual([result.messageId]);
    expect((await storage.queryCCVData({ sourceChainSelectors: [SELECTORS.max - 1n] })).items).toEqual([]);
  });

  test('addresses of 0, 20, 32 and 255 bytes are kept as they are', async () => {
    const { storage } = use();
    for (const length of [0, 20, 32, 255]) {
      const message = make.message({ ccvs: [make.hex(length), make.hex(length)], executor: make.hex(length) });
      const result = make.result(message, 0, { dest: make.hex(length) });
      await storage.insertBatch({ messages: [message], verifierResults: [result] });
      expect(fieldsOf((await storage.getCCVData(message.messageId))[0]!, result)).toEqual(plain(result));
      expect(fieldsOf(await storage.getMessage(message.messageId), message)).toEqual(plain(message));
    }
  });

  test('a message without CCVs, a proof without bytes and a verifier without a name are kept', async () => {
    const { storage } = use();
    const message = make.message({ ccvs: [], dataBytes: 0 });
    const result = make.result(message, 0, {
      ccvData: new Uint8Array(0),
      source: '0x',
      dest: '0x',
      verifierName: '',
      attestationMs: 0,
    });
    await storage.insertBatch({ messages: [message], verifierResults: [result] });
    expect(fieldsOf((await storage.getCCVData(message.messageId))[0]!, result)).toEqual(plain(result));
    expect((await storage.getMessage(message.messageId)).messageCCVAddresses).toEqual([]);
  });

  test('payloads of 1 MiB are kept byte for byte', async () => {
    const { storage } = use();
    const result = make.result(make.message({ dataBytes: 60_000 }), 0, { ccvDataBytes: 1 << 20 });
    await insertCCVData(storage, result);
    const [stored] = await storage.getCCVData(result.messageId);
    expect(Buffer.compare(stored!.ccvData, result.ccvData)).toBe(0);
    expect(Buffer.compare(stored!.encodedMessage, result.encodedMessage)).toBe(0);
    await storage.insertBatch({
      quarantine: [{ ...quarantined('big'), raw: result.ccvData }],
    });
    const [entry] = await storage.queryQuarantine({ afterPosition: 0n, limit: 1 });
    expect(Buffer.compare(entry!.raw, result.ccvData)).toBe(0);
  });

  test('a part that is undefined is one that the batch does not have', async () => {
    const { storage } = use();
    const absent = { orphanings: undefined, messages: undefined, statuses: undefined, cursors: undefined };
    // TypeScript refuses it, JavaScript does not
    const batch = { ...absent, quarantine: undefined, verifierResults: make.results(1) } as unknown as WriteBatch;
    expect((await storage.insertBatch(batch)).verifierResults).toEqual(['inserted']);
    const rest = { ...absent, verifierResults: undefined, quarantine: [quarantined('1')] } as unknown as WriteBatch;
    expect((await storage.insertBatch(rest)).committed).toMatchObject({ throughPosition: 2n });
  });

  test('what the caller does with its buffers afterwards does not reach what is stored', async () => {
    const { storage } = use();
    const pool = new Uint8Array(100_000);
    const [result] = make.results(1);
    const inPool = (bytes: Uint8Array, offset: number) => {
      pool.set(bytes, offset);
      return pool.subarray(offset, offset + bytes.length);
    };
    const given = {
      ...result!,
      encodedMessage: inPool(result!.encodedMessage, 10),
      ccvData: inPool(result!.ccvData, 50_000),
    };
    await insertCCVData(storage, given);
    pool.fill(0xee);
    const [stored] = await storage.getCCVData(result!.messageId);
    expect(fieldsOf(stored!, result!)).toEqual(plain(result));
  });

  const [good] = make.results(1);
  const message = make.message();
  const cursor = { sourceId: 'chain:1', height: 5n, hash: null, expectedHeight: null };
  const bad: Record<string, WriteBatch> = {
    'an id that is not 32 bytes': { verifierResults: [{ ...good!, messageId: '0x1234' }] },
    'an id in upper case': {
      verifierResults: [{ ...good!, messageId: `0x${good!.messageId.slice(2).toUpperCase()}` as Hex }],
    },
    'an address in upper case': { verifierResults: [{ ...good!, verifierSourceAddress: '0xAB' }] },
    'an address of half a byte': { verifierResults: [{ ...good!, verifierDestAddress: '0xabc' }] },
    'an address of 256 bytes': { verifierResults: [{ ...good!, verifierSourceAddress: make.hex(256) }] },
    'a message too short to have a lane': { messages: [{ ...message, encodedMessage: new Uint8Array(78) }] },
    '256 CCVs': { messages: [{ ...message, messageCCVAddresses: Array.from({ length: 256 }, () => '0x01' as const) }] },
    'a fractional attestation time': { verifierResults: [{ ...good!, attestationMs: 1.5 }] },
    'a negative block number': { messages: [{ ...message, origin: { ...message.origin!, blockNumber: -1n } }] },
    'a block number above 2^63': { messages: [{ ...message, origin: { ...message.origin!, blockNumber: 2n ** 63n } }] },
    'a block hash in upper case': { messages: [{ ...message, origin: { ...message.origin!, blockHash: '0xAA' } }] },
    'an unknown status': { statuses: [{ messageId: message.messageId, status: 'done' as never }] },
    'an orphaning without a block hash': { orphanings: [{ messageId: message.messageId, blockHash: 'x' as Hex }] },
    'a cursor without a source': { cursors: [{ ...cursor, sourceId: '' }] },
    'a cursor below zero': { cursors: [{ ...cursor, height: -1n }] },
    'a cursor above 2^63': { cursors: [{ ...cursor, height: 2n ** 63n }] },
    'a quarantine entry whose text no database can hold': { quarantine: [{ ...quarantined('nul'), detail: 'a\0b' }] },
    'a verifier name that is half a character': { verifierResults: [{ ...good!, verifierName: '\ud800' }] },
  };

  test.each(Object.entries(bad))('refuses %s and stores nothing of the batch', async (_, batch) => {
    const { storage } = use();
    const innocent = make.results(1);
    const whole: WriteBatch = { ...batch, verifierResults: [...innocent, ...(batch.verifierResults ?? [])] };
    await expect(storage.insertBatch(whole)).rejects.toMatchObject({ name: 'InvalidArgumentError' });
    expect((await storage.changesAfter(0n)).headPosition).toBe(0n);
    expect((await storage.countCCVData({})).count).toBe(0);
  });

  const reads: Record<string, (storage: Storage) => Promise<unknown>> = {
    'a limit of zero': (storage) => storage.queryCCVData({ limit: 0 }),
    'a negative offset': (storage) => storage.queryMessages({ offset: -1 }),
    'a fractional start': (storage) => storage.queryCCVData({ startMs: 0.5 }),
    'an end that is no number': (storage) => storage.countMessages({ endMs: Number.NaN }),
    'a selector of 65 bits': (storage) => storage.queryCCVData({ sourceChainSelectors: [2n ** 64n] }),
    'a negative selector': (storage) => storage.countCCVData({ destChainSelectors: [-1n] }),
    'a foreign cursor': (storage) => storage.queryCCVData({ cursor: 'abc' }),
    'a cursor together with an offset': async (storage) => {
      await storage.insertBatch({ verifierResults: make.results(2) });
      const { nextCursor } = await storage.queryCCVData({ limit: 1 });
      await storage.queryCCVData({ cursor: nextCursor!, offset: 1 });
    },
    'an id that is not one': (storage) => storage.getCCVData('0x12'),
    'an id in upper case': (storage) => storage.getMessage(`0x${'AB'.repeat(32)}`),
    'a limit of zero changes': (storage) => storage.changesAfter(0n, 0),
    'a negative position': (storage) => storage.changesAfter(-1n),
    'a limit of zero unfinished messages': (storage) => storage.queryUnfinishedMessages({ limit: 0 }),
    'a limit of zero quarantined': (storage) => storage.queryQuarantine({ afterPosition: 0n, limit: 0 }),
    'a limit of zero conflicts': (storage) => storage.queryConflicts({ afterPosition: 0n, limit: 0 }),
  };

  test.each(Object.entries(reads))('refuses to read with %s', async (_, read) => {
    await expect(read(use().storage)).rejects.toMatchObject({ name: 'InvalidArgumentError' });
  });

  function quarantined(key: string) {
    return {
      sourceId: 'chain:1',
      key,
      reason: 'MESSAGE_DECODE',
      detail: '',
      raw: new Uint8Array(0),
      messageId: null,
    };
  }
}
