import type { FastifyReply, FastifyRequest } from 'fastify';
import { InvalidArgumentError } from '../../core/errors.js';
import { ANY_ORIGIN, isWebOrigin } from '../../core/network/web-origin.js';
import { addVary } from './vary.js';

/** Lets pages of other origins read answers. */
export interface Cors {
  /** Adds the headers by which a browser hands the answer to its page, errors included. */
  admit(request: FastifyRequest, reply: FastifyReply): void;
  /** Answers the question that a browser asks before a request with headers of its own. @returns false: it was none. */
  answerPreflight(request: FastifyRequest, reply: FastifyReply): boolean;
}

/** Chromium keeps no answer for longer. */
const PREFLIGHT_MAX_AGE_S = 7_200;

/**
 * `origins`: as a browser sends them (`https://app.example.org`), or `*` alone; none: no answer has a CORS header. No
 * answer is for a page's cookies, so wildcards suffice: a page with `credentials: "include"` is refused. Headers are
 * added where every answer passes, a malformed URL's too, which no hook of a Fastify plugin sees.
 * @throws InvalidArgumentError naming the origin that no browser sends.
 */
export function createCors(origins: readonly string[]): Cors | null {
  const wrong = origins.find((origin) => !(isWebOrigin(origin) || (origin === ANY_ORIGIN && origins.length === 1)));
  if (wrong !== undefined)
    throw new InvalidArgumentError(`corsOrigins holds ${wrong}: pass origins as https://app.example.org, or "*" alone`);
  if (origins.length === 0) return null;
  const listed = origins[0] === ANY_ORIGIN ? null : new Set(origins);
  const admitted = ({ headers }: FastifyRequest): string | null => {
    if (listed === null) return ANY_ORIGIN;
    return headers.origin !== undefined && listed.has(headers.origin) ? headers.origin : null;
  };
  return {
    admit(request, reply) {
      if (listed) addVary(reply, 'Origin');
      const origin = admitted(request);
      if (origin === null) return;
      reply.header('access-control-allow-origin', origin).header('access-control-expose-headers', '*');
    },
    answerPreflight(request, reply) {
      const { method, headers } = request;
      if (method !== 'OPTIONS' || headers.origin === undefined || !headers['access-control-request-method'])
        return false;
      if (admitted(request) !== null)
        reply
          .header('access-control-allow-methods', 'GET, HEAD')
          // the wildcard leaves this one out
          .header('access-control-allow-headers', '*, Authorization')
          .header('access-control-max-age', String(PREFLIGHT_MAX_AGE_S));
      reply.code(204).send();
      return true;
    },
  };
}
