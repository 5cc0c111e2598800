import { describe, expect, test } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { createContentsTest, readContents, resolveContents } from '../../../src/model/contents-filter.js';
import type { MessageListQuery } from '../../../src/model/list-query.js';
import type { NewMessage } from '../../../src/model/records.js';
import type { Storage } from '../../../src/storage/storage.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';
import type { Use } from '../subject.js';

export function contentsCases(use: Use): void {
  const make = createRecordMaker(37);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(make.random() * from.length)] as T;
  const senders = [make.hex(32), make.hex(20), '0x' as Hex, make.hex(255)];
  const receivers = [make.hex(20), make.hex(32), '0x' as Hex];
  const tokens = [make.hex(32), make.hex(20)];
  const lanes = [
    { sourceChainSelector: SELECTORS.low, destChainSelector: SELECTORS.high },
    { sourceChainSelector: SELECTORS.max, destChainSelector: SELECTORS.high },
  ];

  async function store(storage: Storage): Promise<readonly NewMessage[]> {
    const all: NewMessage[] = [];
    for (let commit = 0; commit < 8; commit += 1) {
      const messages = Array.from({ length: 15 }, () =>
        make.message({
          ...pick(lanes),
          sender: pick(senders),
          receiver: pick(receivers),
          dataBytes: pick([0, 3]),
          ...(make.random() < 0.5 && { token: pick(tokens) }),
        }),
      );
      await storage.insertBatch({ messages });
      all.push(...messages);
    }
    const [gone, away] = all;
    await storage.insertBatch({
      orphanings: [gone!, away!].map(({ messageId, origin }) => ({ messageId, blockHash: origin!.blockHash })),
    });
    await storage.insertBatch({ messages: [{ ...away!, origin: make.origin(4n) }] });
    return all.slice(1);
  }

  /** Every page by cursor. */
  async function pages(storage: Storage, query: MessageListQuery, limit: number): Promise<Hex[]> {
    const ids: Hex[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await storage.queryMessages({ ...query, limit, ...(cursor === undefined ? {} : { cursor }) });
      ids.push(...page.items.map(({ messageId }) => messageId));
      cursor = page.nextCursor;
    }
    return ids;
  }

  test('promise 4: hold exactly the messages of these contents, in pages, in the one order', async () => {
    const { storage } = use();
    const all = await store(storage);
    const inOrder = (await storage.queryMessages({ limit: 1000 })).items;
    expect(inOrder).toHaveLength(all.length);
    const numbers = all.map(({ encodedMessage }) => readContents(encodedMessage).messageNumber);
    const [low, high] = [numbers[20]!, numbers[80]!];
    const queries: MessageListQuery[] = [
      { senders: [senders[0]!] },
      { senders: [senders[2]!, senders[3]!, senders[2]!] },
      { receivers: [receivers[1]!] },
      { tokens: [tokens[0]!] },
      { tokens },
      { fromMessageNumber: low, throughMessageNumber: high },
      { fromMessageNumber: high, sourceChainSelectors: [SELECTORS.max] },
      { throughMessageNumber: low, destChainSelectors: [SELECTORS.high] },
      { senders: senders.slice(0, 2), receivers: [receivers[0]!], tokens: [tokens[1]!], fromMessageNumber: low },
      { receivers: receivers.slice(1), sourceChainSelectors: [SELECTORS.low], destChainSelectors: [SELECTORS.high] },
      { senders: [make.hex(20)] },
      { senders: [], tokens: [], startMs: inOrder[30]!.ingestionMs, endMs: inOrder[90]!.ingestionMs },
      { senders: [senders[1]!], startMs: inOrder[30]!.ingestionMs, endMs: inOrder[90]!.ingestionMs },
    ];
    for (const query of queries) {
      const contents = resolveContents(query);
      const passes = contents === null ? () => true : createContentsTest(contents);
      const expected = inOrder.filter(({ encodedMessage, ingestionMs }) => {
        const view = Buffer.from(encodedMessage);
        return (
          passes(encodedMessage) &&
          ingestionMs >= (query.startMs ?? 0) &&
          ingestionMs <= (query.endMs ?? Number.POSITIVE_INFINITY) &&
          (query.sourceChainSelectors?.includes(view.readBigUInt64BE(1)) ?? true) &&
          (query.destChainSelectors?.includes(view.readBigUInt64BE(9)) ?? true)
        );
      });
      const ids = expected.map(({ messageId }) => messageId);
      for (const limit of [4, 1000]) expect(await pages(storage, query, limit)).toEqual(ids);
      const { limit: _limit, ...range } = query;
      expect((await storage.countMessages(range)).count).toBe(ids.length);
    }
  });

  test('numbers of 64 bits have the order of numbers', async () => {
    const { storage } = use();
    const numbers = [0n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
    const messages = numbers.map((messageNumber) => make.message({ messageNumber }));
    await storage.insertBatch({ messages });
    const found = async (query: MessageListQuery) => {
      const { items } = await storage.queryMessages(query);
      const inRange = items.map(({ encodedMessage }) => readContents(encodedMessage).messageNumber);
      return inRange.sort((a, b) => (a < b ? -1 : 1));
    };
    expect(await found({ fromMessageNumber: 1n })).toEqual(numbers.slice(1));
    expect(await found({ fromMessageNumber: 1n, throughMessageNumber: 2n ** 63n })).toEqual(numbers.slice(1, 3));
    expect(await found({ throughMessageNumber: 2n ** 63n - 1n })).toEqual(numbers.slice(0, 2));
  });

  describe('refuses', () => {
    test.each([
      ['an offset', { senders: ['0x01'], offset: 1 }, 'offset'],
      ['what is no hex', { receivers: ['0xzz' as Hex] }, 'receivers'],
      ['a number above 64 bits', { fromMessageNumber: 2n ** 64n }, 'fromMessageNumber'],
    ] as const)('%s', async (_what, query, named) => {
      const { storage } = use();
      await expect(storage.queryMessages(query)).rejects.toThrow(named);
    });
  });
}
