import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Common } from '../../../core/common.js';
import { counter, gauge } from '../../../core/metrics.js';
import { CoverageGapError } from '../../../model/storage-errors.js';
import { HttpError } from '../../http/http-error.js';
import type { QueryString } from '../../list-parameters.js';
import { isWanted } from './feed-changes.js';
import { createFeedReads, type FeedReads, type FeedStorage, MAX_SET_CHARACTERS } from './feed-reads.js';
import { type FeedRequest, parseFeedRequest } from './feed-request.js';
import { feedEvents, whyGap } from './feed-stream.js';

/** The feed of a server: for each storage its readers, all of them bounded together. */
export interface Feeds {
  /** Adds `/v2/feed` of a storage, below a prefix. */
  addRoute(scope: FastifyInstance, prefix: string, storage: FeedStorage): void;
  /** Ends every stream of events: readers go to another server at once, with the place where they stand. */
  close(): void;
}

const EVENTS = 'text/event-stream';

/**
 * @param maxReaders readers of events at once; more are a 503.
 */
export function createFeeds(common: Common, maxReaders: number): Feeds {
  const closing = new AbortController();
  const open = new Set<FeedReads>();
  const metrics = createMetrics(common);
  let readers = 0;

  async function answerEvents(reads: FeedReads, wanted: FeedRequest, request: FastifyRequest, reply: FastifyReply) {
    if (readers >= maxReaders) throw new HttpError(503, `${maxReaders} readers of events are connected: ask for pages`);
    // before anything is waited for: a client may leave meanwhile, and others come
    const gone = new AbortController();
    readers += 1;
    metrics.readers.inc();
    reply.raw.once('close', () => {
      readers -= 1;
      metrics.readers.dec();
      gone.abort();
    });
    const after = wanted.after ?? (await reads.head());
    // told before the answer begins, so that it is an error
    await reads.after(after).catch(explain(reads, after));
    const signal = AbortSignal.any([closing.signal, gone.signal]);
    const told = (events: number) => metrics.events.inc(events);
    const events = feedEvents({ reads, filter: wanted.filter, after, common, signal, told });
    reply.header('content-type', EVENTS).header('cache-control', 'no-store').header('x-accel-buffering', 'no');
    return reply.send(request.method === 'HEAD' ? '' : Readable.from(events, { objectMode: false }));
  }

  async function answerPage(reads: FeedReads, { after, limit, filter }: FeedRequest, reply: FastifyReply) {
    let position = after ?? 0n;
    let head = position;
    const found: string[] = [];
    let characters = 0;
    for (let sets = 0; sets < MAX_SETS && found.length < limit && characters < MAX_SET_CHARACTERS; sets += 1) {
      const set = await reads.after(position).catch(explain(reads, position));
      head = set.headPosition;
      const wanted = set.changes.filter((change) => isWanted(filter, change));
      const taken = wanted.slice(0, limit - found.length);
      found.push(...taken.map(({ json }) => json));
      for (const { json } of taken) characters += json.length;
      position = taken.length < wanted.length ? (taken.at(-1)?.position ?? position) : set.throughPosition;
      if (position >= head) break;
    }
    metrics.events.inc(found.length);
    const body = `{"changes":[${found.join(',')}],"nextAfter":"${position}","headPosition":"${head}"}`;
    return reply.header('content-type', 'application/json').send(Buffer.from(body));
  }

  return {
    close() {
      closing.abort();
      for (const reads of open) reads.close();
    },
    addRoute(scope, prefix, storage) {
      const reads = createFeedReads(storage);
      open.add(reads);
      scope.get(`${prefix}/v2/feed`, async (request, reply) => {
        const lastEventId = request.headers['last-event-id'];
        const wanted = parseFeedRequest(request.query as QueryString, [lastEventId].flat()[0]);
        return request.headers.accept?.includes(EVENTS)
          ? await answerEvents(reads, wanted, request, reply)
          : await answerPage(reads, wanted, reply);
      });
    },
  };
}

/** Sets that are read for one page: a page with few changes for its reader is short, and says where it ended. */
const MAX_SETS = 20;

/** A position above the last one is no passing failure. */
function explain(reads: FeedReads, position: bigint) {
  return async (thrown: unknown): Promise<never> => {
    if (!(thrown instanceof CoverageGapError)) throw thrown;
    const head = await reads.head();
    throw position > head ? new HttpError(409, await whyGap(reads, position)) : thrown;
  };
}

function createMetrics({ metrics }: Common) {
  return {
    readers: gauge(metrics, {
      name: 'indexer_feed_readers',
      help: 'Readers of events that are connected to the feed of this process.',
    }),
    events: counter(metrics, {
      name: 'indexer_feed_changes_total',
      help: 'Changes told to readers of the feed, as events and in pages.',
    }),
  };
}
