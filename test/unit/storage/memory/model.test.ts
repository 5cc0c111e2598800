import { afterEach, describe, expect, test } from 'vitest';
import { createCommon } from '../../../../src/core/common.js';
import type { Hex } from '../../../../src/core/hex.js';
import type { WriteBatch } from '../../../../src/model/batch.js';
import { logOf } from '../../../../src/model/identity.js';
import type { ListQuery } from '../../../../src/model/list-query.js';
import type { Execution, MessageStatus, NewMessage } from '../../../../src/model/records.js';
import { createMemoryStorage, type MemoryStorage } from '../../../../src/storage/memory/memory-storage.js';
import { createManualClock } from '../../../support/manual-clock.js';
import {
  flatChangesAfter,
  flatExecutions,
  flatLedger,
  flatList,
  flatPage,
  flatResults,
} from '../../../support/oracle/flat-answers.js';
import { commitFlat } from '../../../support/oracle/flat-commit.js';
import { EMPTY_STATE, type FlatState, textOf } from '../../../support/oracle/flat-state.js';
import { createRecordMaker, type RecordMaker, SELECTORS } from '../../../support/records.js';

const STEPS = 200;
const CHAINS = [SELECTORS.low, SELECTORS.mid, SELECTORS.high, SELECTORS.max];
const pick = <T>(make: RecordMaker, from: readonly T[]): T => from[Math.floor(make.random() * from.length)] as T;

/**
 * A primary without eviction and a follower that evicts live through the same random commits; after each, random
 * questions to both are answered as the flat state answers them, or refused where the follower says it has a gap.
 */
describe('all indexes agree with the flat state', () => {
  const open: MemoryStorage[] = [];
  afterEach(async () => {
    for (const storage of open.splice(0)) await storage.close();
  });

  test.each([
    { seed: 1, ttlMs: 0, maxSize: 0, batch: 3 },
    { seed: 2, ttlMs: 3000, maxSize: 0, batch: 3 },
    { seed: 3, ttlMs: 0, maxSize: 120, batch: 2 },
    { seed: 4, ttlMs: 9000, maxSize: 300, batch: 6 },
    { seed: 5, ttlMs: 500, maxSize: 20, batch: 1 },
  ])('with seed $seed', async ({ seed, ttlMs, maxSize, batch: size }) => {
    const make = createRecordMaker(seed);
    const clock = createManualClock();
    const common = createCommon({ clock });
    const primary = createMemoryStorage({ name: 'primary', common });
    const hot = createMemoryStorage({ name: 'hot', ttlMs, maxSize, cleanupIntervalMs: 700, common });
    open.push(primary, hot);
    const history: FlatState[] = [EMPTY_STATE];
    const messages: NewMessage[] = [];
    if (seed % 2 === 0) hot.rebase({ position: 0n, ingestionMs: -1 });
    for (let step = 0; step < STEPS; step += 1) {
      const batch = randomBatch(make, messages, size);
      const outcome = await primary.insertBatch(batch);
      const before = history.at(-1) ?? EMPTY_STATE;
      const predicted = commitFlat(before, batch, outcome.committed?.ingestionMs ?? before.headMs + 1);
      expect(textOf({ ...outcome })).toBe(textOf({ ...predicted.outcome }));
      if (outcome.committed) history.push(predicted.state);
      if (make.random() < 0.2) await clock.advance(Math.floor(make.random() * 300));
      const { throughPosition } = hot.coverage();
      if (make.random() < 0.8) await hot.apply(await primary.changesAfter(throughPosition, pick(make, [1, 5, 1000])));
      await ask(primary, predicted.state, make);
      const position = hot.coverage().throughPosition;
      await ask(hot, history.find((state) => state.position === position) ?? EMPTY_STATE, make);
    }
    expect(recordsOf(history.at(-1) ?? EMPTY_STATE).length).toBeGreaterThan(STEPS * 0.8);
    if (ttlMs + maxSize > 0) expect(hot.coverage().afterMs).toBeGreaterThan(0);
  });
});

function randomBatch(make: RecordMaker, messages: NewMessage[], size: number): WriteBatch {
  const some = <T>(most: number, one: () => T): T[] =>
    Array.from({ length: Math.floor(make.random() * (most + 1)) }, one);
  const fresh = some(size, () => {
    const [sourceChainSelector, destChainSelector] = [pick(make, CHAINS), pick(make, CHAINS)];
    return make.message({ sourceChainSelector, destChainSelector, dataBytes: 2 });
  });
  messages.push(...fresh);
  if (messages.length === 0) return {};
  const known = () => pick(make, make.random() < 0.5 ? messages.slice(-20) : messages);
  const elsewhere = (message: NewMessage): NewMessage => ({
    ...message,
    origin: pick(make, [message.origin, null, make.origin(BigInt(Math.floor(make.random() * 50)))]),
  });
  const rare = make.random() < 0.3;
  return {
    messages: [...fresh.filter(() => make.random() < 0.9), ...(rare ? some(2, () => elsewhere(known())) : [])],
    verifierResults: some(size * 2, () => {
      const addresses = {
        source: pick<Hex>(make, ['0x', '0x01', '0x0100', '0xff']),
        dest: pick<Hex>(make, ['0x', '0x02']),
      };
      return make.result(known(), 0, { ...addresses, ccvData: Uint8Array.of(1, 2, 3, 4, 5) });
    }),
    executions: [
      ...fresh.filter(() => make.random() < 0.3).map((message) => executionOf(make, message)),
      ...(rare ? some(2, () => executed(make, known())) : []),
    ],
    executionOrphanings: rare ? some(2, () => logOf(executed(make, known()))) : [],
    statuses: some(2, () => ({
      messageId: known().messageId,
      status: pick<MessageStatus>(make, ['processing', 'timeout', 'success']),
    })),
    orphanings: rare
      ? some(2, known).map(({ messageId, origin }) => ({ messageId, blockHash: origin!.blockHash }))
      : [],
  };
}

/** The executions of a message are a few, made anew each time: equal ones are duplicates, or return. */
function executed(make: RecordMaker, message: NewMessage): Execution {
  const [blockNumber, logIndex] = [BigInt(Math.floor(make.random() * 50)), Math.floor(make.random() * 2)];
  const hash: Hex = `0x${blockNumber.toString(16).padStart(64, '0')}`;
  return {
    ...make.execution(message, { state: 'success', returnData: Uint8Array.of(logIndex) }),
    place: { blockNumber, blockHash: hash, blockTimestampMs: 0, transactionHash: hash, logIndex },
  };
}

function executionOf(make: RecordMaker, message: NewMessage): Execution {
  return make.random() < 0.5 ? executed(make, message) : make.execution(message);
}

function recordsOf({ messages, results }: FlatState) {
  return [...messages.values(), ...results.values()];
}

async function ask(storage: MemoryStorage, state: FlatState, make: RecordMaker): Promise<void> {
  const { afterMs, throughMs, afterPosition, throughPosition } = storage.coverage();
  if (afterMs === Number.POSITIVE_INFINITY) return;
  const times = recordsOf(state)
    .map((record) => record.ingestionMs)
    .filter((ms) => ms > afterMs && ms <= throughMs);
  const endMs = throughMs === Number.POSITIVE_INFINITY && make.random() < 0.5 ? {} : { endMs: pick(make, times) };
  if (times.length > 0 && (throughMs === Number.POSITIVE_INFINITY || 'endMs' in endMs)) {
    const startMs = make.random() < 0.5 ? afterMs + 1 : pick(make, times);
    await askLists(storage, state, make, { startMs, ...endMs });
  }
  if (throughMs === Number.POSITIVE_INFINITY) await askById(storage, state, make, afterMs);
  if (throughMs === Number.POSITIVE_INFINITY && afterMs === -1) {
    const block = BigInt(Math.floor(make.random() * 60));
    const { unfinished, aboveBlock, executionsAbove } = flatLedger(state, SELECTORS.high, block, SELECTORS.mid);
    expect(textOf(await storage.executionsAboveBlock(SELECTORS.mid, block))).toBe(textOf(executionsAbove));
    for (const { messageId } of [...state.executions.values()].slice(-2))
      expect(textOf(await storage.getExecutions(messageId))).toBe(textOf(flatExecutions(state, messageId)));
    expect(textOf((await storage.queryUnfinishedMessages({ limit: 100_000 })).items)).toBe(textOf(unfinished));
    expect(textOf(await storage.messagesAboveBlock(SELECTORS.high, block))).toBe(textOf(aboveBlock));
  }
  const from = afterPosition + BigInt(Math.floor(make.random() * Number(throughPosition - afterPosition)));
  const { changes } = await storage.changesAfter(from, 100_000);
  expect(changes.map(({ kind, record }) => `${kind} ${textOf(record)}`)).toEqual(flatChangesAfter(state, from));
}

async function askLists(storage: MemoryStorage, state: FlatState, make: RecordMaker, range: ListQuery): Promise<void> {
  const chains = () => CHAINS.filter(() => make.random() < 0.5);
  const query: ListQuery = { ...range, sourceChainSelectors: chains(), destChainSelectors: chains() };
  const limit = 1 + Math.floor(make.random() * 30);
  for (const list of ['messages', 'results'] as const) {
    const ask = (wanted: ListQuery) =>
      list === 'messages' ? storage.queryMessages(wanted) : storage.queryCCVData(wanted);
    const whole = flatList(state, list, query);
    const { count } = await (list === 'messages' ? storage.countMessages(query) : storage.countCCVData(query));
    expect(count).toBe(whole.length);
    let next: ListQuery = { ...query, limit, offset: Math.floor(make.random() * (whole.length + 2)) };
    for (let pages = 0; pages < 2; pages += 1) {
      const { items, nextCursor } = await ask(next);
      expect(textOf({ items, nextCursor })).toBe(textOf(flatPage(state, list, next)));
      if (nextCursor === null) break;
      next = { ...query, limit, cursor: nextCursor };
    }
  }
}

async function askById(storage: MemoryStorage, state: FlatState, make: RecordMaker, afterMs: number): Promise<void> {
  const records = recordsOf(state);
  for (let i = 0; i < 5 && records.length > 0; i += 1) {
    const { messageId } = pick(make, records);
    const isHeld = afterMs === -1 || (state.bodies.get(messageId)?.firstMs ?? -1) > afterMs;
    const [message, results] = await Promise.allSettled([storage.getMessage(messageId), storage.getCCVData(messageId)]);
    if (!isHeld) {
      expect(message).toMatchObject({ reason: { name: 'CoverageGapError' } });
      expect(results).toMatchObject({ reason: { name: 'CoverageGapError' } });
      continue;
    }
    expect(textOf(message.status === 'fulfilled' ? message.value : undefined)).toBe(
      textOf(state.messages.get(messageId)),
    );
    expect(textOf(results.status === 'fulfilled' ? results.value : null)).toBe(textOf(flatResults(state, messageId)));
  }
}
