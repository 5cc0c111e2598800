import type { Common } from '../../core/common.js';
import { createLanes, type Lanes } from '../../lanes/lanes.js';
import {
  type ApiSettings,
  DEFAULT_ANSWER_PART_BYTES,
  DEFAULT_COMPRESS_ABOVE_BYTES,
  DEFAULT_FRAGMENT_CACHE_BYTES,
  DEFAULT_MAX_ANSWER_BYTES,
  DEFAULT_MAX_FEED_READERS,
  type RateLimitSettings,
  resolveHttpSettings,
} from '../api-settings.js';
import { createCors } from '../http/cors.js';
import { createHttpShell, type HttpServer } from '../http/http-shell.js';
import { addRateLimit } from '../http/rate-limit.js';
import { checkTrustedProxies } from '../http/trusted-proxies.js';
import { createPage, PAGE_PATHS, type PageFacts } from '../page/page-route.js';
import { addRoute } from '../routes/add-route.js';
import { createAnswerBudget } from '../routes/answer-budget.js';
import { createBodyMemory } from '../routes/body-memory.js';
import { checkNames, namespacePath, serversOf, withoutNamespace } from '../routes/namespace-paths.js';
import { createOpenApiDocument, type OpenApiServer } from '../routes/openapi.js';
import { createPathTest } from '../routes/route-definition.js';
import { createFragments } from '../v1/fragment-cache.js';
import { createHandlers, type V1Storage } from '../v1/handlers.js';
import { createRecordContents } from '../v1/record-contents.js';
import { ROUTES } from '../v1/route-definitions.js';
import { createFeeds } from '../v2/feed/feed-route.js';
import { UNKNOWN_VERIFIERS, type VerifierDirectory } from '../v2/verifiers.js';
import { addV2Routes, type V2ServerStorage } from './add-v2-routes.js';
import { VERSIONS } from './versions.js';

/** Dependencies and settings of the query API. */
export interface ApiServerOptions {
  /** Usually the Sink. It is not closed with the server: close it after. */
  readonly storage: V1Storage & V2ServerStorage;
  readonly common: Common;
  readonly settings: ApiSettings;
  /**
   * Namespaces that are answered below `/ns/{name}`, each from a storage of its own, which `storage` may be among.
   * Default: none.
   */
  readonly namespaces?: ReadonlyMap<string, ApiServerOptions['storage']>;
  /** The verifiers of `storage`'s namespace, and of others by name. Default: nothing tells them. */
  readonly verifiers?: (namespace: string | null) => VerifierDirectory;
  /** The lanes of a storage. They are not closed with the server. Default: counted from its first question on. */
  readonly lanes?: ReadonlyMap<ApiServerOptions['storage'], Lanes>;
  /**
   * Why the process cannot do its work as configured, for `/ready` of `storage`; null when it can. Default: it always
   * can.
   */
  readonly problem?: () => string | null;
  /** Version in the OpenAPI document. */
  readonly version?: string;
  /** The page at `/`, and below the path of each namespace. Default: none. */
  readonly page?: PageFacts | null;
}

/** The query API. */
export interface ApiServer extends HttpServer {
  /** Takes another rate limit. Does nothing on a server that began without one: no request pays for its place. */
  limitRate(limit: RateLimitSettings): void;
}

/**
 * The query API that existing clients speak (`src/api/README.md`). An answer comes whole from `storage`, or it is an
 * error: a range without an answer is a 503, never a shorter list. A large answer is sent in parts, each read when the
 * client has taken the one before. It is of one state all the same: the first read gives the records as outlines, and
 * the contents of an outline never change.
 * @throws InvalidArgumentError naming the setting that cannot work.
 */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const { storage, namespaces = new Map(), common, settings, problem = () => null, version = '0.0.0' } = options;
  const { verifiers = () => UNKNOWN_VERIFIERS } = options;
  const page = options.page ? createPage(common, options.page, false) : null;
  const names = [...namespaces.keys()];
  const isKnown = page ? isPathWithPage : isPath;
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
    isKnownPath: (path) => isKnown(withoutNamespace(path, names)),
    tellsProblems: (path) => withoutNamespace(path, names).startsWith('/v2/'),
  });
  const { rateLimit } = settings;
  const setRateLimit = rateLimit?.enabled ? addRateLimit(server.app, rateLimit) : null;
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
  const feeds = createFeeds(common, settings.maxFeedReaders ?? DEFAULT_MAX_FEED_READERS);
  const ownLanes = new Map<ApiServerOptions['storage'], Lanes>();
  const lanesOf = (of: ApiServerOptions['storage']): Lanes => {
    const known = options.lanes?.get(of) ?? ownLanes.get(of) ?? createLanes({ storage: of, common });
    if (!options.lanes?.has(of)) ownLanes.set(of, known);
    return known;
  };
  // in a scope of its own, which loads after the rate limit
  server.app.register(async (scope) => {
    const serve = (name: string | null, of: ApiServerOptions['storage'], servers: readonly OpenApiServer[]) => {
      const prefix = name === null ? '' : namespacePath(name);
      const renderer = renderers.get(of);
      if (!renderer) throw new TypeError('a storage without a renderer');
      const document = createOpenApiDocument(version, VERSIONS, servers);
      const why = of === storage ? problem : () => null;
      const handlers = createHandlers({ storage: of, common, renderer, partBytes, problem: why, document });
      for (const route of ROUTES) addRoute(scope, { ...route, path: prefix + route.path }, handlers[route.id], parts);
      const shared = { lanes: lanesOf(of), verifiers: verifiers(name), partBytes, parts, feeds };
      addV2Routes(scope, prefix, { storage: of, ...shared });
      page?.addRoutes(scope, prefix);
    };
    serve(null, storage, serversOf(names));
    for (const [name, of] of namespaces) serve(name, of, [{ url: namespacePath(name) }]);
  });
  return {
    ...server,
    limitRate: (limit) => setRateLimit?.(limit),
    async close() {
      feeds.close();
      await server.close();
      for (const lanes of ownLanes.values()) await lanes.close();
    },
  };
}

/** Memory of sent pages that is kept for the next ones: some thirty of the usual half megabyte. */
const IDLE_BODY_BYTES = 32 * 1024 * 1024;

const PATHS = VERSIONS.flatMap(({ routes }) => routes);
const isPath = createPathTest(PATHS);
const isPathWithPage = createPathTest([...PATHS, ...PAGE_PATHS.map((path) => ({ path }))]);
