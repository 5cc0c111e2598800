import { backoffMs } from '../core/backoff.js';
import { toError } from '../core/errors.js';
import { systemRandom } from '../core/random.js';
import { ApiError, apiErrorOf } from './api-error.js';
import { streamEvents } from './event-stream.js';
import type { Change, Routes } from './routes.js';

/** How a reader of the feed is connected. */
export interface FeedOptions {
  /** Which changes: of kinds, of lanes, of a member's share. */
  readonly query?: Omit<Routes['/v2/feed']['query'], 'after' | 'limit'>;
  /** The position after which it begins. Default: now. */
  readonly after?: string;
  /** Ends it; the iteration ends without an error. */
  readonly signal?: AbortSignal;
  /** Told of each connection that was lost, before the next one is made. */
  readonly onLost?: (reason: Error) => void;
  /** The longest silence of a living server, ms: it says something every 15 s. Default 45 000. */
  readonly silenceMs?: number;
  /** Pauses between connections that fail, ms. Default from 1 000 on, doubling to 30 000. */
  readonly pauses?: { readonly baseMs: number; readonly maxMs: number };
}

/** Asks for the feed as a stream of events, from the place behind `lastEventId`. */
export type ConnectFeed = (
  query: Routes['/v2/feed']['query'],
  lastEventId: string | null,
  signal: AbortSignal,
) => Promise<Response>;

const PAUSES = { baseMs: 1_000, maxMs: 30_000 };
const SILENCE_MS = 45_000;

/**
 * The changes of the feed in position order, each at least once, for as long as it is iterated. A connection that is
 * lost is made again, to the server that answers then, from the last place that was heard of.
 */
export class FeedReader implements AsyncIterable<Change> {
  readonly #connect: ConnectFeed;
  readonly #options: FeedOptions;
  #position: string | null;

  constructor(connect: ConnectFeed, options: FeedOptions) {
    this.#connect = connect;
    this.#options = options;
    this.#position = options.after ?? null;
  }

  /**
   * All changes up to this position were taken, or were not for this reader: pass it as `after` to go on from here.
   * Null before the first word of the server.
   */
  get position(): string | null {
    return this.#position;
  }

  /** @throws ApiError when the server refuses the question for good: a bad parameter, a position above the last one. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Change, void, void> {
    const { signal = new AbortController().signal, onLost, pauses = PAUSES } = this.#options;
    let failures = 0;
    const connected = () => {
      failures = 0;
    };
    while (!signal.aborted) {
      const connection = new AbortController();
      let askedMs = 0;
      try {
        yield* this.#changes(connection, signal, connected);
        if (!signal.aborted) onLost?.(new Error('the server ended the stream'));
      } catch (thrown) {
        if (signal.aborted) return;
        if (thrown instanceof ApiError) {
          if (!thrown.retryable) throw thrown;
          askedMs = thrown.retryAfterMs ?? 0;
        }
        onLost?.(toError(thrown));
      } finally {
        connection.abort();
      }
      await pause(Math.max(askedMs, backoffMs(pauses, failures, systemRandom)), signal);
      failures += 1;
    }
  }

  /** The changes of one connection. */
  async *#changes(
    connection: AbortController,
    signal: AbortSignal,
    connected: () => void,
  ): AsyncGenerator<Change, void, void> {
    const { query = {}, silenceMs = SILENCE_MS } = this.#options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => connection.abort(new Error(`nothing was heard for ${silenceMs} ms`)), silenceMs);
    };
    heard();
    const end = () => connection.abort(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    try {
      const answer = await this.#connect(query, this.#position, connection.signal);
      if (!answer.ok || answer.body === null) throw await apiErrorOf(answer);
      connected();
      for await (const { id, kind, data } of streamEvents(answer.body, heard)) {
        if (kind === 'failure') throw new Error(`the server ended the stream: ${data}`);
        if (data !== null) yield JSON.parse(data) as Change;
        // behind the change: it was taken once its reader asks for the next
        if (id !== null) this.#position = id;
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }
}

/** Ends with `signal` as well. */
function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, durationMs);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    if (signal.aborted) done();
    else signal.addEventListener('abort', done);
  });
}
