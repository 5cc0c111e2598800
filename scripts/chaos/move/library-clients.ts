import { IndexerError } from '../../../src/core/errors.js';
import type { Random } from '../../../src/core/random.js';
import type { Page } from '../../../src/model/list-query.js';
import type { Storage } from '../../../src/storage/storage.js';
import type { Client } from './clients.js';
import type { Figures } from './figures.js';
import type { KnownList, ShownRecord } from './known-list.js';

const PAGE = 40;

/** A list as the library gives it. */
interface LibraryList {
  readonly name: string;
  readonly known: KnownList;
  page(cursor: string | null): Promise<Page<ShownRecord>>;
  count(range: { readonly startMs: number; readonly endMs: number }): Promise<{ readonly count: number }>;
}

/** Clients of a replica in this process: for each list one that goes through it by cursor, and one that counts. */
export function libraryClients(
  storage: Pick<Storage, 'queryMessages' | 'queryCCVData' | 'countMessages' | 'countCCVData'>,
  { messages, results }: { readonly messages: KnownList; readonly results: KnownList },
  { figures, random }: { readonly figures: Figures; readonly random: Random },
): readonly Client[] {
  const lists: readonly LibraryList[] = [
    {
      ...{ name: 'messages', known: messages, count: (range) => storage.countMessages(range) },
      async page(cursor) {
        const page = await storage.queryMessages({ limit: PAGE, ...(cursor === null ? {} : { cursor }) });
        const shown = ({ messageId: id, ingestionMs, status }: (typeof page.items)[number]): ShownRecord => ({
          ...{ id, ingestionMs, text: null, status: status === 'processing' ? 0 : 1 },
        });
        return { ...page, items: page.items.map(shown) };
      },
    },
    {
      ...{ name: 'results', known: results, count: (range) => storage.countCCVData(range) },
      async page(cursor) {
        const page = await storage.queryCCVData({ limit: PAGE, ...(cursor === null ? {} : { cursor }) });
        const shown = (result: (typeof page.items)[number]): ShownRecord => ({
          id: `${result.messageId} ${result.verifierSourceAddress}`,
          ...{ ingestionMs: result.ingestionMs, text: null, status: 1 },
        });
        return { ...page, items: page.items.map(shown) };
      },
    },
  ];

  /** A 503 of the API is an error that may pass here. */
  async function ask<T>(question: () => Promise<T>): Promise<T | null> {
    try {
      const answer = await question();
      figures.answered();
      return answer;
    } catch (thrown) {
      if (thrown instanceof IndexerError && thrown.retryable) figures.failed('503');
      else figures.wrong(`the library: ${thrown}`);
      return null;
    }
  }

  function walk({ name, known, page: read }: LibraryList): Client {
    let [offset, floor] = [0, 0];
    let cursor: string | null = null;
    return async () => {
      const askedMs = performance.now();
      const page = await ask(() => read(cursor));
      if (page === null) return;
      const asked = { startMs: 0, endMs: null, offset, limit: PAGE, askedMs, floor };
      const fault = known.learn({ ...asked, records: page.items }, performance.now());
      if (fault !== null) figures.wrong(`${name} by cursor: ${fault}`);
      floor = Math.max(floor, offset + page.items.length);
      offset = page.nextCursor === null ? 0 : offset + page.items.length;
      cursor = page.nextCursor;
    };
  }

  function count({ name, known, count: readCount }: LibraryList): Client {
    return async () => {
      const places = [0, 0].map(() => Math.floor(random() * known.records.length));
      const [startMs = 0, endMs = 0] = places
        .map((place) => known.records[place]?.ingestionMs ?? 0)
        .toSorted((a, b) => a - b);
      const answer = await ask(() => readCount({ startMs, endMs }));
      const expected = known.before(endMs + 1) - known.before(startMs);
      // the last time that is known may have more records than are known yet
      const isClosed = endMs < (known.records.at(-1)?.ingestionMs ?? 0);
      if (answer && isClosed && answer.count !== expected)
        figures.wrong(`${answer.count} ${name} from ${startMs} to ${endMs}, not ${expected}`);
    };
  }

  return lists.flatMap((list) => [walk(list), count(list)]);
}
