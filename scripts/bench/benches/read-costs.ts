import { performance } from 'node:perf_hooks';
import type { Hex } from '../../../src/core/hex.js';
import { bytesToHex } from '../../../src/core/hex.js';
import { seededRandom } from '../../../src/core/random.js';
import { CCVDataNotFoundError } from '../../../src/model/storage-errors.js';
import type { Storage } from '../../../src/storage/storage.js';
import type { CountingObjectStore } from '../../../test/support/s3/request-counting.js';
import { median } from '../measure.js';
import type { Asked, Sample } from '../sample.js';

/** The middle and the worst of many. */
export interface MiddleAndWorst {
  readonly median: number;
  readonly worst: number;
}

/** The cost of a read of the cold tier: a line of its table. */
export interface ReadCost {
  /** Place and state of the tables, for example `S3 server, compacted`. */
  readonly store: string;
  readonly records: number;
  readonly question: 'by id' | 'absent id' | 'page of 100' | 'look for news';
  readonly asked: number;
  readonly requests: MiddleAndWorst;
  readonly bytes: MiddleAndWorst;
  readonly ms: MiddleAndWorst;
  /** For the worst; null where the issue sets none, `bytes` too. */
  readonly aim: { readonly requests: number; readonly bytes: number | null } | null;
}

/** Records of a page. */
export const PAGE_LIMIT = 100;
const MAX_BYTES = 256 * 1024;
const PRESENT_AIM = { requests: 3, bytes: MAX_BYTES };
const ABSENT_AIM = { requests: 1, bytes: null };
const ABSENT_ASKED = 500;
const NEWS_ASKED = 50;

/** Whether the worst read stays within the aim; null without one. */
export function isWithin({ aim, requests, bytes }: Pick<ReadCost, 'aim' | 'requests' | 'bytes'>): boolean | null {
  if (aim === null) return null;
  return requests.worst <= aim.requests && (aim.bytes === null || bytes.worst <= aim.bytes);
}

/** Sums many figures up. */
export function middleAndWorst(values: readonly number[]): MiddleAndWorst {
  return { median: median(values), worst: Math.max(...values) };
}

/**
 * Asks a cold storage for ids, for unknown ids and for pages, each with fresh caches that hold file footers and indexes
 * only. Rows are never asked for twice.
 */
export async function measureReadCosts(wish: {
  readonly store: CountingObjectStore;
  /** A storage that looks for news as often as this says; without: never. */
  readonly open: (refreshIntervalMs?: number) => Storage;
  readonly sample: Sample;
  readonly name: string;
  readonly records: number;
}): Promise<readonly ReadCost[]> {
  const { sample } = wish;
  const absent = absentIds(ABSENT_ASKED).map((messageId) => ({ messageId, ingestionMs: 0 }));
  const line = async (
    question: ReadCost['question'],
    asked: readonly Asked[],
    ask: Ask,
    aim: ReadCost['aim'],
    refreshIntervalMs?: number,
  ) => {
    const costs = await measureQuestion(wish, asked, ask, refreshIntervalMs);
    return { store: wish.name, records: wish.records, question, asked: asked.length, ...costs, aim };
  };
  return [
    await line('by id', sample.apart, askById, PRESENT_AIM),
    await line('absent id', absent, askAbsent, ABSENT_AIM),
    await line('page of 100', sample.apart, askPage, PRESENT_AIM),
    await line('look for news', sample.spread.slice(0, NEWS_ASKED), askNews, null, 0),
  ];
}

/** One question to a storage. @throws Error for a wrong answer. */
export type Ask = (storage: Storage, asked: Asked) => Promise<void>;

/** All results of one message. */
export const askById: Ask = async (storage, { messageId }) => {
  const results = await storage.getCCVData(messageId);
  if (results.length !== 1 || results[0]?.messageId !== messageId)
    throw new Error(`${results.length} results for ${messageId}`);
};

/** A page by time, from a commit on. Only near the end of the list is it less than full. */
export const askPage: Ask = async (storage, { ingestionMs }) => {
  const { items, nextCursor } = await storage.queryCCVData({ startMs: ingestionMs, limit: PAGE_LIMIT });
  const isRight = items[0]?.ingestionMs === ingestionMs && (items.length === PAGE_LIMIT || nextCursor === null);
  if (!isRight) throw new Error(`${items.length} records from ${ingestionMs} on`);
};

const askAbsent: Ask = async (storage, { messageId }) => {
  try {
    await storage.getCCVData(messageId);
  } catch (thrown) {
    if (thrown instanceof CCVDataNotFoundError) return;
    throw thrown;
  }
  throw new Error(`${messageId} is there`);
};

/** A count only looks whether another process has written: whole files are counted by their statistics. */
const askNews: Ask = async (storage) => {
  const { count } = await storage.countCCVData({});
  if (count === 0) throw new Error('nothing is there');
};

async function measureQuestion(
  { store, open, sample }: Parameters<typeof measureReadCosts>[0],
  asked: readonly Asked[],
  ask: Ask,
  refreshIntervalMs: number | undefined,
): Promise<Pick<ReadCost, 'requests' | 'bytes' | 'ms'>> {
  const requests: number[] = [];
  const bytes: number[] = [];
  const ms: number[] = [];
  const storage = open(refreshIntervalMs);
  try {
    for (const each of sample.everywhere) {
      await askById(storage, each);
      await askPage(storage, each);
    }
    for (const each of asked) {
      store.reset();
      const startMs = performance.now();
      await ask(storage, each);
      ms.push(performance.now() - startMs);
      const cost = store.total();
      requests.push(cost.requests);
      bytes.push(cost.bytes);
    }
  } finally {
    await storage.close();
  }
  return { requests: middleAndWorst(requests), bytes: middleAndWorst(bytes), ms: middleAndWorst(ms) };
}

function absentIds(count: number): readonly Hex[] {
  const random = seededRandom(12);
  return Array.from({ length: count }, () => bytesToHex(Uint8Array.from({ length: 32 }, () => random() * 256)));
}
