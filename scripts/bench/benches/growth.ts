import type { Storage } from '../../../src/storage/storage.js';
import { median } from '../measure.js';
import type { Asked, Sample } from '../sample.js';
import { type Ask, askById, askPage, PAGE_LIMIT } from './read-costs.js';

/** How fast a tier answers one question. */
export interface Speed {
  /** Median of questions asked one after the other. */
  readonly ms: number;
  /** With `ASKERS` at once. */
  readonly perSecond: number;
}

/** A tier that holds so many records: a line of its table. */
export interface Growth {
  readonly tier: string;
  readonly records: number;
  readonly bytesPerRecord: number;
  readonly byId: Speed;
  readonly page: Speed;
  /** Median ms of a count of everything, and of a page in the middle of the list by offset. */
  readonly countMs: number;
  readonly middleMs: number;
  /** Where the tier has indexes of its own. */
  readonly indexBytesPerRecord: number | null;
}

/** Questions under way at once where the rate is measured. */
export const ASKERS = 16;
const MIN_ASKED = 20;
const MAX_ASKED_ALONE = 2_000;
/** A quick answer is asked for so often between two looks at the time that the look costs nothing. */
const ASKED_BETWEEN_LOOKS = 16;

/** Asks a tier alone, without API or Sink, for random ids and for pages from random times. */
export async function measureSpeed(
  storage: Storage,
  { spread }: Sample,
  records: number,
  seconds: number,
): Promise<Pick<Growth, 'byId' | 'page' | 'countMs' | 'middleMs'>> {
  const medianMs = async (ask: () => Promise<void>) => median(await oneByOne(seconds / 2, ask));
  return {
    countMs: await medianMs(async () => {
      const { count } = await storage.countCCVData({});
      if (count !== records) throw new Error(`${count} of ${records} records are counted`);
    }),
    middleMs: await medianMs(async () => {
      const { items } = await storage.queryCCVData({ limit: PAGE_LIMIT, offset: records / 2 });
      if (items.length !== PAGE_LIMIT) throw new Error(`${items.length} records in the middle`);
    }),
    byId: await speedOf(storage, spread, askById, seconds),
    page: await speedOf(storage, spread, askPage, seconds),
  };
}

async function speedOf(storage: Storage, asked: readonly Asked[], ask: Ask, seconds: number): Promise<Speed> {
  const turns = inTurn(asked);
  // the first questions warm the caches
  await atOnce(seconds / 4, () => ask(storage, turns()));
  return {
    ms: median(await oneByOne(seconds, () => ask(storage, turns()))),
    perSecond: await atOnce(seconds, () => ask(storage, turns())),
  };
}

/** Milliseconds of each question. */
async function oneByOne(seconds: number, ask: () => Promise<void>): Promise<readonly number[]> {
  const endMs = performance.now() + seconds * 1_000;
  const took: number[] = [];
  while (took.length < MIN_ASKED || (performance.now() < endMs && took.length < MAX_ASKED_ALONE)) {
    const startMs = performance.now();
    await ask();
    took.push(performance.now() - startMs);
  }
  return took;
}

/** Questions a second. */
async function atOnce(seconds: number, ask: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  let answered = 0;
  await Promise.all(
    Array.from({ length: ASKERS }, async () => {
      while (performance.now() < endMs)
        for (let i = 0; i < ASKED_BETWEEN_LOOKS; i += 1) {
          await ask();
          answered += 1;
        }
    }),
  );
  return (answered * 1_000) / (performance.now() - startMs);
}

/** One after the other, and from the start again. */
function inTurn<T>(all: readonly T[]): () => T {
  let next = 0;
  return () => {
    const value = all[next % all.length];
    if (value === undefined) throw new Error('nothing to ask for');
    next += 1;
    return value;
  };
}
