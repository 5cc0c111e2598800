import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Ends an answer with its connection while it waits behind another answer: it has no socket yet, so Node closes it
 * never, and all that is held for it would stay.
 */
export function endUnsent({ raw: request }: FastifyRequest, { raw: response }: FastifyReply): void {
  request.once('close', () => {
    if (!request.socket.destroyed || response.socket !== null || response.writableFinished) return;
    response.destroy();
    response.emit('close');
  });
}
