import type { IncomingMessage } from 'node:http';
import type { Random } from '../../core/random.js';

/** The header a request id is taken from and given back in. */
export const REQUEST_ID_HEADER = 'x-request-id';

const SANE = /^[A-Za-z0-9._:-]{1,64}$/;

/**
 * Gives every request an id: the client's own when it is short and harmless, else one that is unique in this process
 * and very likely beyond it.
 */
export function createRequestIds(random: Random): (request: IncomingMessage) => string {
  const prefix = Math.floor(random() * 2 ** 40).toString(36);
  let count = 0;
  return (request) => {
    const given = request.headers[REQUEST_ID_HEADER];
    if (typeof given === 'string' && SANE.test(given)) return given;
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}
