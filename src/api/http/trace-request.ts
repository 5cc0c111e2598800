import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Tracing } from '../../core/tracing.js';

/** They come every few seconds, and are of no message. */
const PROBE = /(?:^|\/)(?:health|ready)$/;

/** Makes a request a span, until the end of its answer; probes are none. */
export function traceRequest(tracing: Tracing, request: FastifyRequest, reply: FastifyReply): void {
  const { id, method, headers, routeOptions } = request;
  if (PROBE.test(routeOptions.url ?? '')) return;
  const [path = ''] = request.url.split('?', 1);
  const end = tracing.request({ id, method, route: routeOptions.url ?? 'unknown', path, headers });
  reply.raw.on('close', () => end(reply.raw.writableFinished ? reply.raw.statusCode : null));
}
