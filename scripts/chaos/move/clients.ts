import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import type { Random } from '../../../src/core/random.js';
import type { Storage } from '../../../src/storage/storage.js';
import type { ListedMessage, ListedResult } from '../../../test/support/e2e/http.js';
import type { Failure, Figures } from './figures.js';
import { KnownList, type ShownPage, type ShownRecord } from './known-list.js';
import { libraryClients } from './library-clients.js';

/** An API process of the moment: another one has another URL. */
export interface Replica {
  /** Null while there is none. */
  url(): string | null;
}

/** Clients of several replicas, and all that they have learnt. */
export interface MoveClients {
  readonly messages: KnownList;
  readonly results: KnownList;
  /** The text of every answer by id. */
  readonly texts: ReadonlyMap<string, string>;
  stop(): Promise<void>;
}

export interface MoveClientsOptions {
  readonly replicas: readonly Replica[];
  /** A replica in this process, for the questions that have no route. */
  readonly library: Storage;
  /** Questions that are begun in a second, while the replicas answer. */
  readonly perSecond: number;
  /** `MaxStaleness` of the replicas. */
  readonly staleMs: number;
  readonly random: Random;
  readonly figures: Figures;
}

/** The page of executors. */
const PAGE = 100;
const SMALL_PAGE = 40;
const TICK_MS = 20;
const LATE_MS = 30_000;
/** Lookups at once, for each replica; lists are asked by one client of each kind. */
const LOOKUPS = 12;

type Kind = 'messages' | 'results';
const PATHS: Readonly<Record<Kind, string>> = { messages: '/v1/messages', results: '/v1/verifierresults' };

/** Asks once. */
export type Client = () => Promise<void>;

/**
 * Clients in the ways of executors and explorers. Every answer is held against all that were shown before, by any
 * replica: the same records in the same places with the same bytes, none missing that is older than `staleMs` or that
 * this replica has shown, and none new below a time that was shown.
 */
export function startMoveClients(options: MoveClientsOptions): MoveClients {
  const { replicas, library, perSecond, staleMs, random, figures } = options;
  const known: Readonly<Record<Kind, KnownList>> = {
    messages: new KnownList(staleMs),
    results: new KnownList(staleMs),
  };
  const texts = new Map<string, string>();
  const asked = replicas.map((replica) => new AskedReplica(replica, figures));
  const pick = <T>(of: readonly T[]): T | undefined => of[Math.floor(random() * of.length)];

  async function page(
    to: AskedReplica,
    kind: Kind,
    query: Pick<ShownPage, 'startMs' | 'endMs' | 'offset' | 'limit'>,
  ): Promise<readonly ShownRecord[] | null> {
    const { startMs, endMs, offset, limit } = query;
    const { floors } = to;
    const [askedMs, floor] = [performance.now(), floors[kind]];
    const path = `${PATHS[kind]}?start=${startMs}${endMs === null ? '' : `&end=${endMs}`}&limit=${limit}&offset=${offset}`;
    const text = await to.ask(path);
    if (text === null) return null;
    const records = kind === 'messages' ? messagesOf(text) : resultsOf(text);
    const fault = known[kind].learn({ ...query, records, askedMs, floor }, performance.now());
    if (fault !== null) figures.wrong(`${path} of ${to.name}: ${fault}`);
    const last = records.at(-1);
    const shown = last && known[kind].indexOf(last.id);
    if (shown !== undefined) floors[kind] = Math.max(floors[kind], shown + 1);
    return records;
  }

  /** The loop of an executor: from the whole second of the last record that it has seen. */
  function poll(choose: () => AskedReplica, kind: Kind): Client {
    let [startMs, offset, lastMs] = [0, 0, 0];
    return async () => {
      const records = await page(choose(), kind, { startMs, endMs: null, offset, limit: PAGE });
      if (records === null) return;
      lastMs = Math.max(lastMs, records.at(-1)?.ingestionMs ?? 0);
      if (records.length === PAGE) offset += PAGE;
      else [startMs, offset] = [lastMs - (lastMs % 1_000), 0];
    };
  }

  /** A page anywhere in a range whose time is closed. */
  function range(choose: () => AskedReplica, kind: Kind): Client {
    return async () => {
      const [one, other] = [pick(known[kind].records), pick(known[kind].records)];
      if (!one || !other) return;
      const [startMs, endMs] = [one.ingestionMs, other.ingestionMs].toSorted((a, b) => a - b) as [number, number];
      const length = known[kind].before(endMs) - known[kind].before(startMs);
      const offset = Math.floor(random() * length);
      await page(choose(), kind, { startMs, endMs, offset, limit: SMALL_PAGE });
    };
  }

  function lookup(choose: () => AskedReplica): Client {
    return async () => {
      const { records } = known.results;
      // most ask for the latest, as executors do
      const place = random() < 0.7 ? records.length - 1 - Math.floor(random() * PAGE) : random() * records.length;
      const record = records[Math.floor(place)];
      if (!record) return;
      const id = record.id.slice(0, 66);
      const to = choose();
      const [askedMs, floor] = [performance.now(), to.floors.results];
      const text = await to.ask(`/v1/verifierresults/${id}`, () => {
        const isDue = (known.results.indexOf(record.id) ?? 0) < known.results.leastAt(askedMs, floor);
        if (isDue) figures.wrong(`${id} is not found by ${to.name}`);
      });
      if (text === null) return;
      const first = texts.get(id) ?? text;
      texts.set(id, first);
      if (text !== first) figures.wrong(`${id} was ${first}, and is ${text}`);
    };
  }

  function invented(choose: () => AskedReplica): Client {
    return async () => {
      const id = `0x${Math.floor(random() * 2 ** 48)
        .toString(16)
        .padStart(64, 'f')}`;
      const text = await choose().ask(`/v1/verifierresults/${id}`, () => 'as it should be');
      if (text !== null) figures.wrong(`${id} was never sent: ${text}`);
    };
  }

  const one = asked.flatMap((to) => {
    const choose = () => to;
    const lists = (['messages', 'results'] as const).flatMap((kind) => [
      poll(choose, kind),
      poll(choose, kind),
      range(choose, kind),
      range(choose, kind),
    ]);
    return [...lists, invented(choose), ...Array.from({ length: LOOKUPS }, () => lookup(choose))];
  });
  const any = () => pick(asked) as AskedReplica;
  const others = libraryClients(library, known, { random, figures });
  const clients = [...one, ...others, poll(any, 'messages'), poll(any, 'results'), range(any, 'messages'), lookup(any)];

  const stopping = new AbortController();
  const running = pace(clients, perSecond, stopping.signal);
  return {
    ...known,
    texts,
    async stop() {
      stopping.abort();
      await running;
      for (const each of asked) await each.close();
    },
  };
}

/** Lets the clients ask in turn; one that waits for its answer is passed over. */
async function pace(clients: readonly Client[], perSecond: number, signal: AbortSignal): Promise<void> {
  const waiting = [...clients];
  const underWay = new Set<Promise<void>>();
  const beganMs = performance.now();
  let begun = 0;
  while (!signal.aborted) {
    const due = Math.floor(((performance.now() - beganMs) / 1_000) * perSecond);
    for (; begun < due; begun += 1) {
      const client = waiting.shift();
      if (!client) continue;
      const asking = client().finally(() => {
        underWay.delete(asking);
        waiting.push(client);
      });
      underWay.add(asking);
    }
    await delay(TICK_MS);
  }
  await Promise.all(underWay);
}

/** One replica with its connections, and how much its present process has shown. */
class AskedReplica {
  #floors: Record<Kind, number> = { messages: 0, results: 0 };
  readonly #replica: Replica;
  readonly #figures: Figures;
  #url: string | null = null;
  #pool: Pool | null = null;

  constructor(replica: Replica, figures: Figures) {
    this.#replica = replica;
    this.#figures = figures;
  }

  /** Records that the present process has shown. */
  get floors(): Record<Kind, number> {
    this.#connected();
    return this.#floors;
  }

  get name(): string {
    return this.#url ?? 'no process';
  }

  /** The text of a 200; null for another answer. A 404 is wrong unless `unknown` judges it. */
  async ask(path: string, unknown?: () => unknown): Promise<string | null> {
    const pool = this.#connected();
    if (pool === null) {
      this.#figures.failed('refused');
      return null;
    }
    try {
      const { statusCode, body } = await pool.request({ method: 'GET', path });
      const text = await body.text();
      if (statusCode === 503) this.#figures.failed('503');
      else this.#figures.answered();
      if (statusCode === 200) return text;
      if (statusCode === 404 && unknown) unknown();
      else if (statusCode !== 503) this.#figures.wrong(`${path} answered ${statusCode}: ${text.slice(0, 300)}`);
    } catch (thrown) {
      this.#figures.failed(failureOf(thrown as NodeJS.ErrnoException));
    }
    return null;
  }

  async close(): Promise<void> {
    await this.#pool?.destroy();
  }

  #connected(): Pool | null {
    const url = this.#replica.url();
    if (url !== this.#url) {
      // another process, which may be behind the one before
      this.#floors = { messages: 0, results: 0 };
      this.#pool?.destroy().catch(() => 'its process is gone');
      this.#pool =
        url === null ? null : new Pool(url, { connections: 32, headersTimeout: LATE_MS, bodyTimeout: LATE_MS });
      this.#url = url;
    }
    return this.#pool;
  }
}

function failureOf({ code }: NodeJS.ErrnoException): Failure {
  if (code === 'ECONNREFUSED') return 'refused';
  return code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT' ? 'late' : 'broken';
}

/** Digits that are lost are lost in every answer alike; the ends of a move compare them all. */
function messagesOf(text: string): readonly ShownRecord[] {
  const { messages } = JSON.parse(text) as { messages: Record<string, ListedMessage> };
  return Object.entries(messages).map(([id, { metadata, ...fixed }]) => ({
    id,
    ingestionMs: Date.parse(metadata.ingestionTimestamp),
    text: JSON.stringify({ ...fixed, metadata: { ...metadata, status: null } }),
    status: metadata.status,
  }));
}

function resultsOf(text: string): readonly ShownRecord[] {
  const { verifierResults } = JSON.parse(text) as { verifierResults: Record<string, ListedResult[]> };
  return Object.values(verifierResults)
    .flat()
    .map((entry) => ({
      id: `${entry.verifierResult.message_id} ${entry.verifierResult.verifier_source_address}`,
      ingestionMs: Date.parse(entry.metadata.ingestionTimestamp),
      text: JSON.stringify(entry),
      status: 1,
    }));
}
