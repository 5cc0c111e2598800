import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Common } from '../../core/common.js';
import { counter } from '../../core/metrics.js';
import { acceptedEncoding, COMPRESSOR_BYTES, compress, type Encoding } from '../http/compression.js';
import { namesTag, weakened } from '../http/entity-tag.js';
import { addVary } from '../http/vary.js';
import type { Answer } from './answer.js';
import type { AnswerBudget } from './answer-budget.js';
import type { BodyMemory } from './body-memory.js';
import type { RouteDefinition } from './route-definition.js';

/**
 * Takes memory for an answer until it is sent, or its client is gone. Call it once the size is known, about.
 * @throws HttpError 503
 */
type Hold = (sizeBytes: number) => void;

/** Makes the answer of a 200; null: none. */
export type Handler = (request: FastifyRequest, hold: Hold) => Promise<Answer | null>;

/** Parts that the routes of a server share. */
export interface RouteParts {
  readonly memory: BodyMemory;
  readonly budget: AnswerBudget;
  readonly common: Common;
  /** See `ApiSettings`. */
  readonly compressAboveBytes: number;
}

/** Answers below this are not worth counting. */
const SMALL_BYTES = 64 * 1024;

/**
 * Adds a route: memory of its answers, compression, entity tags. An answer that fits into memory where its compressor
 * does not goes out as it is.
 */
export function addRoute(scope: FastifyInstance, route: RouteDefinition, handle: Handler, parts: RouteParts): void {
  const { memory, budget, common, compressAboveBytes } = parts;
  const mayCompress = (sizeBytes: number) => compressAboveBytes > 0 && sizeBytes > compressAboveBytes;
  const options = route.exempt ? { config: { rateLimit: false as const } } : {};
  const broken = counter(common.metrics, {
    name: 'indexer_http_answers_broken_total',
    help: 'Answers that failed on their way: their connections were broken off, so that no client takes one for whole.',
  });
  const onBroken = (requestId: string) => (err: Error) => {
    broken.inc();
    common.log.warn({ err, requestId, route: route.path }, 'answer broken off');
  };

  scope.get(route.path, options, async (request, reply) => {
    let accepted: Encoding | null = null;
    const answer = await handle(request, (sizeBytes) => {
      if (mayCompress(sizeBytes) && budget.fits(sizeBytes + COMPRESSOR_BYTES))
        accepted = acceptedEncoding(request.headers['accept-encoding']);
      const heldBytes = accepted === null ? sizeBytes : sizeBytes + COMPRESSOR_BYTES;
      if (heldBytes < SMALL_BYTES) return;
      const release = budget.take(heldBytes);
      if (reply.raw.destroyed) release();
      else reply.raw.once('close', release);
    });
    if (answer === null) return reply.send();
    const { body, tag } = answer;
    const isLarge = mayCompress(Buffer.isBuffer(body) ? body.length : Number.POSITIVE_INFINITY);
    const encoding = isLarge ? accepted : null;
    if (isLarge) addVary(reply, 'Accept-Encoding');
    if (Buffer.isBuffer(body) && memory.isLent(body)) giveBackOnceSent(body, request, reply, memory);
    if (tag !== undefined) {
      reply.header('etag', encoding === null ? tag : weakened(tag));
      if (namesTag(request.headers['if-none-match'], tag)) return reply.code(304).send();
    }
    reply.header('content-type', 'application/json');
    if (encoding !== null) reply.header('content-encoding', encoding);
    if (request.method === 'HEAD' && (encoding !== null || !Buffer.isBuffer(body))) {
      if (!Buffer.isBuffer(body)) body.destroy();
      return reply.send(Readable.from([]));
    }
    const sent = encoding === null ? body : compress(body, encoding);
    if (!Buffer.isBuffer(sent)) sent.once('error', onBroken(request.id));
    return reply.send(sent);
  });
}

/** A connection that broke leaves the memory of its answer to the garbage collector. */
function giveBackOnceSent(body: Buffer, request: FastifyRequest, reply: FastifyReply, memory: BodyMemory): void {
  const { socket } = request.raw;
  reply.raw.once('finish', () => {
    if (!socket.destroyed) memory.giveBack(body);
  });
}
