import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';
import { InvalidArgumentError } from '../../core/errors.js';
import { DEFAULT_REQUESTS_PER_SECOND, type RateLimitSettings } from '../api-settings.js';
import { HttpError } from './http-error.js';

/** Client addresses remembered at once; the least recently seen are forgotten first. */
const REMEMBERED_CLIENTS = 10_000;
const WINDOW_MS = 1_000;

/**
 * Limits every route added after this by client address, in windows of a second: 429 with `retry-after`. A route with
 * `config: { rateLimit: false }` is exempt.
 */
export function addRateLimit(app: FastifyInstance, settings: RateLimitSettings): void {
  const requestsPerSecond = settings.requestsPerSecond ?? DEFAULT_REQUESTS_PER_SECOND;
  if (!Number.isSafeInteger(requestsPerSecond) || requestsPerSecond < 1)
    throw new InvalidArgumentError(`rateLimit.requestsPerSecond is ${requestsPerSecond}: pass a whole number above 0`);
  app.register(rateLimit, {
    max: requestsPerSecond,
    timeWindow: WINDOW_MS,
    cache: REMEMBERED_CLIENTS,
    errorResponseBuilder: () => new HttpError(429, `too many requests: at most ${requestsPerSecond} a second`),
  });
}
