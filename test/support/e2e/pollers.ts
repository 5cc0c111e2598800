import { setTimeout as delay } from 'node:timers/promises';
import type { Hex } from '../../../src/core/hex.js';
import type { Random } from '../../../src/core/random.js';
import type { Page } from '../../../src/model/list-query.js';
import type { Sink } from '../../../src/sink/sink.js';
import { get, type ListedMessage, type ListedResult, messagesIn, resultsIn } from './http.js';

/** Clients of a query API in the ways in which real ones use it, while records move between the tiers. */
export interface Pollers {
  /** What each client that only goes forward has seen, in its order. */
  readonly seen: Readonly<Record<'messages' | 'results', readonly string[]>>;
  /** Whole walks: what a client saw that went through all pages, and how much there was at least when it began. */
  readonly walks: readonly Walk[];
  /** By id: how often it was asked. */
  lookups(): number;
  /** Answers that were no 200, by what they said. */
  refusals(): Readonly<Record<string, number>>;
  stop(): Promise<readonly string[]>;
}

export interface Walk {
  readonly kind: 'messages by offset' | 'results by offset' | 'messages by cursor' | 'results by cursor';
  readonly ids: readonly string[];
  readonly least: number;
}

const PAUSE_MS = 20;
/** More than the records of any one commit here. */
const PAGE = 200;
const SMALL_PAGE = 23;
const MOST_WRONGS = 10;

/** Starts them. `library`: another replica, in this process, whose pages are taken by cursor. */
export function startPollers(apiUrl: string, library: Sink, random: Random): Pollers {
  const seen = { messages: [] as string[], results: [] as string[] };
  const walks: Walk[] = [];
  const refused: Record<string, number> = {};
  const wrongs: string[] = [];
  const firstText = new Map<string, string>();
  let lookups = 0;
  let stopping = false;

  const wrong = (what: string) => {
    if (wrongs.length < MOST_WRONGS) wrongs.push(what);
  };

  async function ask(path: string): Promise<string | null> {
    const { status, text } = await get(`${apiUrl}${path}`);
    if (status === 200) return text;
    const name = `${path.split('?')[0]?.replace(/0x.*/, 'id')} ${status} ${text.replace(/0x\w+/, 'id').replace(/\d{4}-\S+Z/g, 'time')}`;
    refused[name] = (refused[name] ?? 0) + 1;
    return null;
  }

  /** Asks from the last time it has seen, and passes over what it has seen of that time. */
  function forward(kind: 'messages' | 'results') {
    let sinceMs = 0;
    const known = new Set<string>();
    return async () => {
      const path = kind === 'messages' ? '/v1/messages' : '/v1/verifierresults';
      const text = await ask(`${path}?start=${sinceMs}&limit=${PAGE}`);
      if (text === null) return;
      for (const { id, ms } of entriesOf(kind, text)) {
        if (ms < sinceMs) wrong(`${kind} after ${sinceMs} has ${id} of ${ms}`);
        if (known.has(id)) continue;
        known.add(id);
        seen[kind].push(id);
        sinceMs = ms;
      }
    };
  }

  function byOffset(kind: 'messages' | 'results') {
    let ids: string[] = [];
    let least = 0;
    return async () => {
      const path = kind === 'messages' ? '/v1/messages' : '/v1/verifierresults';
      if (ids.length === 0) least = seen[kind].length;
      const text = await ask(`${path}?limit=${SMALL_PAGE}&offset=${ids.length}`);
      if (text === null) return;
      const page = entriesOf(kind, text);
      ids.push(...page.map(({ id }) => id));
      if (page.length === SMALL_PAGE) return;
      walks.push({ kind: `${kind} by offset`, ids, least });
      ids = [];
    };
  }

  function byCursor<T>(
    kind: 'messages' | 'results',
    read: (cursor?: string) => Promise<Page<T>>,
    idOf: (item: T) => string,
  ) {
    let ids: string[] = [];
    let cursor: string | null = null;
    return async () => {
      let page: Page<T>;
      try {
        page = await read(cursor ?? undefined);
      } catch (thrown) {
        const name = `${kind} by cursor: ${(thrown as Error).message.replace(/\d{5,}/g, 'n')}`;
        refused[name] = (refused[name] ?? 0) + 1;
        return;
      }
      ids.push(...page.items.map(idOf));
      cursor = page.nextCursor;
      if (cursor !== null) return;
      walks.push({ kind: `${kind} by cursor`, ids, least: 0 });
      ids = [];
    };
  }

  async function byId(): Promise<void> {
    const id = seen.results[Math.floor(random() * seen.results.length)]?.slice(0, 66) as Hex | undefined;
    if (id === undefined) return;
    const text = await ask(`/v1/verifierresults/${id}`);
    if (text === null) return;
    lookups += 1;
    const first = firstText.get(id) ?? text;
    firstText.set(id, first);
    if (text !== first) wrong(`${id} was ${first}, then ${text}`);
  }

  const clients = [
    forward('messages'),
    forward('results'),
    byOffset('messages'),
    byOffset('results'),
    byCursor(
      'messages',
      (cursor) => library.queryMessages(pageOf(cursor)),
      ({ messageId }) => messageId,
    ),
    byCursor(
      'results',
      (cursor) => library.queryCCVData(pageOf(cursor)),
      (result) => resultId(result.messageId, result.verifierSourceAddress),
    ),
    byId,
  ].map(async (askOnce) => {
    while (!stopping) {
      await askOnce();
      await delay(PAUSE_MS);
    }
  });
  const ended = Promise.all(clients);
  ended.catch(() => undefined);
  return {
    seen,
    walks,
    lookups: () => lookups,
    refusals: () => refused,
    async stop() {
      stopping = true;
      await ended;
      return wrongs;
    },
  };
}

/** What tells results apart here. */
export function resultId(messageId: string, verifierSourceAddress: string): string {
  return `${messageId} ${verifierSourceAddress}`;
}

function pageOf(cursor: string | undefined) {
  return cursor === undefined ? { limit: SMALL_PAGE } : { limit: SMALL_PAGE, cursor };
}

/** In the answer's order, which for results of one commit is by message. */
function entriesOf(
  kind: 'messages' | 'results',
  text: string,
): readonly { readonly id: string; readonly ms: number }[] {
  const timeOf = ({ metadata }: ListedMessage | ListedResult) => Date.parse(metadata.ingestionTimestamp);
  if (kind === 'messages') return [...messagesIn(text)].map(([id, entry]) => ({ id, ms: timeOf(entry) }));
  return [...resultsIn(text).values()].flat().map((entry) => ({
    id: resultId(entry.verifierResult.message_id, entry.verifierResult.verifier_source_address),
    ms: timeOf(entry),
  }));
}
