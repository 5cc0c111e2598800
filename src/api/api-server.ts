import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Common } from '../core/common.js';
import type { ListQuery, Storage } from '../storage/storage.js';
import { type Body, messagesBody, type Renderer, verifierResultsBody, verifierResultsByIdBody } from './answers.js';
import { type ApiSettings, DEFAULT_FRAGMENT_CACHE_BYTES, resolveHttpSettings } from './api-settings.js';
import { type BodyMemory, createBodyMemory } from './body-memory.js';
import { createFragments } from './fragment-cache.js';
import { HttpError } from './http-error.js';
import { createHttpShell, type HttpServer } from './http-shell.js';
import { type ListRequest, parseListRequest, type QueryString } from './list-parameters.js';
import { parseMessageId } from './message-id.js';
import { createOpenApiDocument } from './openapi.js';
import { addRateLimit } from './rate-limit.js';
import { readiness } from './readiness.js';
import { isKnownPath, ROUTES, type RouteDefinition } from './route-definitions.js';
import { checkTrustedProxies } from './trusted-proxies.js';

/** What the query API is made of. */
export interface ApiServerOptions {
  /** Usually the Sink. It is not closed with the server: close it after. */
  readonly storage: Pick<Storage, 'getCCVData' | 'queryCCVData' | 'queryMessages' | 'health'>;
  readonly common: Common;
  readonly settings: ApiSettings;
  /** Why the process cannot do its work as configured, for `/ready`; null when it can. Default: it always can. */
  readonly problem?: () => string | null;
  /** Version in the OpenAPI document. */
  readonly version?: string;
}

/**
 * The query API that existing clients speak (wire facts, section 7). Answers come whole from `storage` or as an error: what
 * it cannot answer is a 503, never a shorter list.
 * @throws InvalidArgumentError naming the setting that cannot work.
 */
export function createApiServer(options: ApiServerOptions): HttpServer {
  const { storage, common, settings, problem = () => null, version = '0.0.0' } = options;
  checkTrustedProxies(settings.trustedProxies ?? []);
  const server = createHttpShell({
    common,
    name: 'query API',
    settings: resolveHttpSettings(settings),
    trustedProxies: settings.trustedProxies ?? [],
    corsAllowOrigin: settings.corsAllowOrigin ?? null,
    metered: true,
    isKnownPath,
  });
  const { rateLimit } = settings;
  if (rateLimit?.enabled) addRateLimit(server.app, rateLimit);
  const fragments = createFragments({ maxBytes: settings.fragmentCacheBytes ?? DEFAULT_FRAGMENT_CACHE_BYTES });
  const memory = createBodyMemory({ maxIdleBytes: IDLE_BODY_BYTES });
  const handlers = createHandlers(storage, common, { fragments, memory }, problem, version);
  // in a scope of its own, which loads after the rate limit
  server.app.register(async (scope) => {
    for (const route of ROUTES) addRoute(scope, route, handlers[route.id], memory);
  });
  return server;
}

/** Memory of sent pages that is kept for the next ones: some thirty of the usual half megabyte. */
const IDLE_BODY_BYTES = 32 * 1024 * 1024;

type Handler = (request: FastifyRequest) => Promise<Body | null>;

function addRoute(scope: FastifyInstance, route: RouteDefinition, handle: Handler, memory: BodyMemory): void {
  const options = route.exempt ? { config: { rateLimit: false as const } } : {};
  scope.get(route.path, options, async (request: FastifyRequest, reply: FastifyReply) => {
    const body = await handle(request);
    if (body === null) return reply.send();
    if (Buffer.isBuffer(body)) giveBackOnceSent(body, request, reply, memory);
    return reply.header('content-type', 'application/json').send(body);
  });
}

/** A connection that broke leaves the memory of its answer to the garbage collector. */
function giveBackOnceSent(body: Buffer, request: FastifyRequest, reply: FastifyReply, memory: BodyMemory): void {
  const { socket } = request.raw;
  reply.raw.once('finish', () => {
    if (!socket.destroyed) memory.giveBack(body);
  });
}

function createHandlers(
  storage: ApiServerOptions['storage'],
  common: Common,
  renderer: Renderer,
  problem: () => string | null,
  version: string,
): Readonly<Record<RouteDefinition['id'], Handler>> {
  const openapi = Buffer.from(JSON.stringify(createOpenApiDocument(version)));
  return {
    health: async () => null,
    async ready() {
      if (!(await readiness(storage, common.clock)).healthy) throw new HttpError(503, 'storage cannot answer now');
      const why = problem();
      if (why !== null) throw new HttpError(503, why);
      return null;
    },
    async verifierResults(request) {
      const { query, isNothing } = listQuery(parseListRequest(request.query as QueryString));
      const { items } = await storage.queryCCVData(query);
      return verifierResultsBody(isNothing ? [] : items, renderer);
    },
    async verifierResultsById(request) {
      const messageId = parseMessageId((request.params as { readonly messageID: string }).messageID);
      return verifierResultsByIdBody(messageId, await storage.getCCVData(messageId), renderer);
    },
    async messages(request) {
      const { query, isNothing } = listQuery(parseListRequest(request.query as QueryString));
      const { items } = await storage.queryMessages(query);
      return messagesBody(isNothing ? [] : items, renderer);
    },
    openapi: async () => openapi,
  };
}

/**
 * A storage query always asks for something: `limit=0` asks for one record and drops it, so that an outage is an error for
 * that client, too.
 */
function listQuery({ limit, ...rest }: ListRequest): { readonly query: ListQuery; readonly isNothing: boolean } {
  return limit === 0
    ? { query: { ...rest, limit: 1 }, isNothing: true }
    : { query: { ...rest, limit }, isNothing: false };
}
