import type { SourceCursor } from '../../model/records.js';
import type { Storage } from '../../storage/storage.js';

const PAGE_SIZE = 1_000;

/** One figure of two storages that should be the same. */
export interface ComparedCount {
  readonly what: 'messages' | 'verifier results' | 'cursors' | 'quarantine entries' | 'conflicts';
  readonly first: number;
  readonly second: number;
  /** False also when there are as many, but not the same. */
  readonly same: boolean;
}

/**
 * Compares the records of two storages up to an ingestion time (unix ms): listed records, from where the first one is
 * complete on, and the cursors, quarantine and conflicts of sources. The second must be complete from the beginning.
 */
export async function compareStorages(
  first: Storage,
  second: Storage,
  endMs: number,
): Promise<readonly ComparedCount[]> {
  const both = async (
    what: ComparedCount['what'],
    count: (storage: Storage) => Promise<number>,
  ): Promise<ComparedCount> => {
    const [a, b] = await Promise.all([count(first), count(second)]);
    return { what, first: a, second: b, same: a === b };
  };
  const range = { startMs: first.coverage().afterMs + 1, endMs };
  return [
    await both('messages', async (storage) => (await storage.countMessages(range)).count),
    await both('verifier results', async (storage) => (await storage.countCCVData(range)).count),
    await compareCursors(first, second),
    await both('quarantine entries', (storage) => countPages((page) => storage.queryQuarantine(page))),
    await both('conflicts', (storage) => countPages((page) => storage.queryConflicts(page))),
  ];
}

async function compareCursors(first: Storage, second: Storage): Promise<ComparedCount> {
  const [a, b] = await Promise.all([first.listCursors(), second.listCursors()]);
  const text = ({ sourceId, height, hash }: SourceCursor) => `${sourceId} ${height} ${hash}`;
  const same = a.length === b.length && a.every((cursor, index) => b[index] && text(cursor) === text(b[index]));
  return { what: 'cursors', first: a.length, second: b.length, same };
}

async function countPages(
  read: (page: {
    readonly afterPosition: bigint;
    readonly limit: number;
  }) => Promise<readonly { readonly position: bigint }[]>,
): Promise<number> {
  let count = 0;
  let afterPosition = 0n;
  for (;;) {
    const page = await read({ afterPosition, limit: PAGE_SIZE });
    count += page.length;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_SIZE) return count;
    afterPosition = last.position;
  }
}
