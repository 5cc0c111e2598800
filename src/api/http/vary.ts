import type { FastifyReply } from 'fastify';

/** Adds a header of the request to those that the answer depends on, for caches. */
export function addVary(reply: FastifyReply, header: string): void {
  const before = reply.getHeader('vary');
  reply.header('vary', before === undefined ? header : `${before}, ${header}`);
}
