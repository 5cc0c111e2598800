import type { Common } from '../../core/common.js';
import type { ListQuery } from '../../model/list-query.js';
import type { Storage } from '../../storage/storage.js';
import {
  type ApiSettings,
  DEFAULT_ANSWER_PART_BYTES,
  DEFAULT_COMPRESS_ABOVE_BYTES,
  DEFAULT_FRAGMENT_CACHE_BYTES,
  DEFAULT_MAX_ANSWER_BYTES,
  resolveHttpSettings,
} from '../api-settings.js';
import { createCors } from '../http/cors.js';
import { HttpError } from '../http/http-error.js';
import { createHttpShell, type HttpServer } from '../http/http-shell.js';
import { addRateLimit } from '../http/rate-limit.js';
import { checkTrustedProxies } from '../http/trusted-proxies.js';
import { type ListRequest, parseListRequest, type QueryString } from '../list-parameters.js';
import { parseMessageId } from '../message-id.js';
import { readiness } from '../readiness.js';
import { addRoute, type Handler } from './add-route.js';
import { createAnswerBudget } from './answer-budget.js';
import { bodyBytes, messagesBody, type Renderer, verifierResultsBody, verifierResultsByIdAnswer } from './answers.js';
import { createBodyMemory } from './body-memory.js';
import { createFragments } from './fragment-cache.js';
import { checkNames, namespacePath, serversOf, withoutNamespace } from './namespace-paths.js';
import { createOpenApiDocument, type OpenApiServer } from './openapi.js';
import { createRecordContents } from './record-contents.js';
import { isKnownPath, ROUTES, type RouteDefinition } from './route-definitions.js';

/** Dependencies and settings of the query API. */
export interface ApiServerOptions {
  /** Usually the Sink. It is not closed with the server: close it after. */
  readonly storage: Pick<Storage, 'getCCVData' | 'getMessage' | 'queryCCVData' | 'queryMessages' | 'health'>;
  readonly common: Common;
  readonly settings: ApiSettings;
  /**
   * Namespaces that are answered below `/ns/{name}`, each from a storage of its own, which `storage` may be among.
   * Default: none.
   */
  readonly namespaces?: ReadonlyMap<string, ApiServerOptions['storage']>;
  /**
   * Why the process cannot do its work as configured, for `/ready` of `storage`; null when it can. Default: it always
   * can.
   */
  readonly problem?: () => string | null;
  /** Version in the OpenAPI document. */
  readonly version?: string;
}

/**
 * The query API that existing clients speak (`src/api/README.md`). An answer comes whole from `storage`, or it is an
 * error: a range without an answer is a 503, never a shorter list. A large answer is sent in parts, each read when the
 * client has taken the one before. It is of one state all the same: the first read gives the records as outlines, and
 * the contents of an outline never change.
 * @throws InvalidArgumentError naming the setting that cannot work.
 */
export function createApiServer(options: ApiServerOptions): HttpServer {
  const { storage, namespaces = new Map(), common, settings, problem = () => null, version = '0.0.0' } = options;
  const names = [...namespaces.keys()];
  checkNames(names);
  checkTrustedProxies(settings.trustedProxies ?? []);
  const server = createHttpShell({
    common,
    name: 'query API',
    id: 'api',
    settings: resolveHttpSettings(settings),
    trustedProxies: settings.trustedProxies ?? [],
    cors: createCors(settings.corsOrigins ?? []),
    metered: true,
    isKnownPath: (path) => isKnownPath(withoutNamespace(path, names)),
  });
  const { rateLimit } = settings;
  if (rateLimit?.enabled) addRateLimit(server.app, rateLimit);
  const memory = createBodyMemory({ maxIdleBytes: IDLE_BODY_BYTES });
  const storages = new Set([storage, ...namespaces.values()]);
  const fragmentBytes = (settings.fragmentCacheBytes ?? DEFAULT_FRAGMENT_CACHE_BYTES) / storages.size;
  // positions of two namespaces are those of other records
  const renderers = new Map(
    [...storages].map((each) => {
      const fragments = createFragments({ maxBytes: fragmentBytes });
      return [each, { fragments, memory, contents: createRecordContents(each) }] as const;
    }),
  );
  const budget = createAnswerBudget(settings.maxAnswerBytes ?? DEFAULT_MAX_ANSWER_BYTES, common.metrics);
  const partBytes = settings.answerPartBytes ?? DEFAULT_ANSWER_PART_BYTES;
  const compressAboveBytes = settings.compressAboveBytes ?? DEFAULT_COMPRESS_ABOVE_BYTES;
  const parts = { memory, budget, common, compressAboveBytes };
  // in a scope of its own, which loads after the rate limit
  server.app.register(async (scope) => {
    const serve = (prefix: string, of: ApiServerOptions['storage'], servers: readonly OpenApiServer[]) => {
      const renderer = renderers.get(of);
      if (!renderer) throw new TypeError('a storage without a renderer');
      const document = createOpenApiDocument(version, servers);
      const why = of === storage ? problem : () => null;
      const handlers = createHandlers({ storage: of, common, renderer, partBytes, problem: why, document });
      for (const route of ROUTES) addRoute(scope, { ...route, path: prefix + route.path }, handlers[route.id], parts);
    };
    serve('', storage, serversOf(names));
    for (const [name, of] of namespaces) serve(namespacePath(name), of, [{ url: namespacePath(name) }]);
  });
  return server;
}

/** Memory of sent pages that is kept for the next ones: some thirty of the usual half megabyte. */
const IDLE_BODY_BYTES = 32 * 1024 * 1024;

function createHandlers({
  storage,
  common,
  renderer,
  partBytes,
  problem,
  document,
}: Pick<ApiServerOptions, 'storage' | 'common'> & {
  readonly renderer: Renderer;
  readonly partBytes: number;
  readonly problem: () => string | null;
  readonly document: object;
}): Readonly<Record<RouteDefinition['id'], Handler>> {
  const openapi = Buffer.from(JSON.stringify(document));
  const part = { maxBytes: partBytes };
  return {
    health: async () => null,
    async ready() {
      if (!(await readiness(storage, common.clock)).healthy) throw new HttpError(503, 'storage cannot answer now');
      const why = problem();
      if (why !== null) throw new HttpError(503, why);
      return null;
    },
    async verifierResults(request, hold) {
      const { query, isNothing } = listQuery(parseListRequest(request.query as QueryString));
      const { items } = await storage.queryCCVData({ ...query, ...part });
      const shown = isNothing ? [] : items;
      hold(bodyBytes(shown, partBytes));
      return { body: await verifierResultsBody(shown, renderer) };
    },
    async verifierResultsById(request, hold) {
      const messageId = parseMessageId((request.params as { readonly messageID: string }).messageID);
      const results = await storage.getCCVData(messageId, part);
      hold(bodyBytes(results, partBytes));
      return await verifierResultsByIdAnswer(messageId, results, renderer);
    },
    async messages(request, hold) {
      const { query, isNothing } = listQuery(parseListRequest(request.query as QueryString));
      const { items } = await storage.queryMessages({ ...query, ...part });
      const shown = isNothing ? [] : items;
      hold(bodyBytes(shown, partBytes));
      return { body: await messagesBody(shown, renderer) };
    },
    async openapi(_request, hold) {
      hold(openapi.length);
      return { body: openapi };
    },
  };
}

/** `limit=0` asks storage for one record and drops it, so that an outage is an error for that client, too. */
function listQuery({ limit, ...rest }: ListRequest): { readonly query: ListQuery; readonly isNothing: boolean } {
  return limit === 0
    ? { query: { ...rest, limit: 1 }, isNothing: true }
    : { query: { ...rest, limit }, isNothing: false };
}
