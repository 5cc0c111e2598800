import { apiErrorOf } from './api-error.js';
import { type FeedOptions, FeedReader } from './feed.js';
import type { Message, Routes } from './routes.js';

/** Where the indexer is, and how it is asked. */
export interface ClientOptions {
  /** For example `https://indexer.example:8100`, or the one of a namespace: with `/ns/<name>` behind it. */
  readonly baseUrl: string;
  /** Default: that of the runtime. */
  readonly fetch?: typeof fetch;
  /** Of every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The parameters of a route; those of its path must be there. */
export type RouteParameters<P extends keyof Routes> = {
  readonly query?: Routes[P]['query'];
  readonly signal?: AbortSignal;
} & (keyof Routes[P]['path'] extends never ? { readonly path?: never } : { readonly path: Routes[P]['path'] });

type Arguments<P extends keyof Routes> = keyof Routes[P]['path'] extends never
  ? [parameters?: RouteParameters<P>]
  : [parameters: RouteParameters<P>];

/** A typed client of `/v2`, for Node.js and browsers. */
export interface Client {
  /**
   * The answer of a route.
   * @throws ApiError for every answer but a 200, and the errors of `fetch`.
   */
  get<P extends keyof Routes>(path: P, ...parameters: Arguments<P>): Promise<Routes[P]['answer']>;
  /** Every message that the filters admit, page by page as they are taken. @throws as `get` */
  messages(
    query?: Omit<Routes['/v2/messages']['query'], 'cursor'>,
    signal?: AbortSignal,
  ): AsyncGenerator<Message, void, void>;
  /** The changes as they come, over any number of connections. */
  feed(options?: FeedOptions): FeedReader;
}

/** A client of the indexer at `baseUrl`. */
export function createClient({ baseUrl, fetch: ask = fetch, headers = {} }: ClientOptions): Client {
  const root = baseUrl.replace(/\/+$/, '');

  async function get<P extends keyof Routes>(path: P, ...[parameters]: Arguments<P>): Promise<Routes[P]['answer']> {
    const { path: inPath = {}, query = {}, signal } = parameters ?? {};
    const url = `${root}${filled(path, inPath)}${queryText(query)}`;
    const answer = await ask(url, { headers: { accept: 'application/json', ...headers }, ...(signal && { signal }) });
    if (!answer.ok) throw await apiErrorOf(answer);
    return (await answer.json()) as Routes[P]['answer'];
  }

  return {
    get,
    async *messages(query = {}, signal) {
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page: Routes['/v2/messages']['answer'] = await get('/v2/messages', {
          query: { ...query, cursor },
          ...(signal && { signal }),
        });
        yield* page.messages;
        cursor = page.nextCursor;
      }
    },
    feed: (options = {}) =>
      new FeedReader(async (query, lastEventId, signal) => {
        const place = lastEventId === null ? {} : { 'last-event-id': lastEventId };
        const url = `${root}/v2/feed${queryText(query)}`;
        return await ask(url, { headers: { accept: 'text/event-stream', ...headers, ...place }, signal });
      }, options),
  };
}

function filled(path: string, values: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''));
}

/** Lists are separated by commas; parameters without a value are left out. */
function queryText(query: object): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && String(value) !== '');
  const text = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
  return text === '' ? '' : `?${text}`;
}
