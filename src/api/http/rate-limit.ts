import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';
import { InvalidArgumentError } from '../../core/errors.js';
import { DEFAULT_REQUESTS_PER_SECOND, type RateLimitSettings } from '../api-settings.js';
import { HttpError } from './http-error.js';

/** Client addresses remembered at once; the least recently seen are forgotten first. */
const REMEMBERED_CLIENTS = 10_000;
const WINDOW_MS = 1_000;

/** Takes other settings of a limit that is there. */
export type SetRateLimit = (settings: RateLimitSettings) => void;

/**
 * Limits every route added after this by client address, in windows of a second: 429 with `retry-after`. A route with
 * `config: { rateLimit: false }` is exempt.
 * @throws InvalidArgumentError for a rate below 1, as the returned function does.
 */
export function addRateLimit(app: FastifyInstance, settings: RateLimitSettings): SetRateLimit {
  let { enabled, rate } = read(settings);
  app.register(rateLimit, {
    max: () => rate,
    allowList: () => !enabled,
    timeWindow: WINDOW_MS,
    cache: REMEMBERED_CLIENTS,
    errorResponseBuilder: () => new HttpError(429, `too many requests: at most ${rate} a second`),
  });
  return (next) => {
    ({ enabled, rate } = read(next));
  };
}

function read({ enabled, requestsPerSecond: rate = DEFAULT_REQUESTS_PER_SECOND }: RateLimitSettings) {
  if (!Number.isSafeInteger(rate) || rate < 1)
    throw new InvalidArgumentError(`rateLimit.requestsPerSecond is ${rate}: pass a whole number above 0`);
  return { enabled, rate };
}
