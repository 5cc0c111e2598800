import { createAdminServer } from '../../api/admin/admin-server.js';
import type { HttpSettings, RateLimitSettings } from '../../api/api-settings.js';
import type { HttpServer } from '../../api/http/http-shell.js';
import { createApiServer } from '../../api/server/api-server.js';
import type { VerifierDirectory } from '../../api/v2/verifiers.js';
import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import type { Shutdown } from '../../core/shutdown.js';
import type { Lanes } from '../../lanes/lanes.js';
import type { Sink } from '../../sink/sink.js';
import type { ServedNamespace } from '../namespaces/serve.js';
import { packageVersion } from '../version.js';
import { pageFacts } from './page-facts.js';

/** Dependencies of the servers of a process. */
export interface OpenServersOptions {
  readonly config: Config;
  readonly common: Common;
  readonly sink: Sink;
  readonly lanes: Lanes;
  /** Other namespaces that are answered for. */
  readonly served: readonly ServedNamespace[];
  readonly shutdown: Shutdown;
  readonly verifiers: VerifierDirectory;
  /** For `/status`. */
  readonly status: () => Promise<unknown>;
  /** For `/ready`: why the process cannot do its work as configured. */
  readonly problem: () => string | null;
}

/** The query API of a process. */
export interface OpenedApi {
  /** Where it listens. */
  readonly url: string;
  /** See `ApiServer.limitRate`. */
  limitRate(settings: RateLimitSettings): void;
}

/** Starts the query API. */
export async function openApi(options: OpenServersOptions): Promise<OpenedApi> {
  const { config, common, sink, lanes, served, shutdown, problem, verifiers } = options;
  const others = served.map((each) => [each.name, each.sink] as const);
  const { TrustedProxies, CORS, MaxAnswerBytes, AnswerPartBytes, CompressAbove, MaxFeedReaders } = config.API;
  const server = createApiServer({
    storage: sink,
    ...(others.length > 0 ? { namespaces: new Map([[config.Namespace, sink], ...others]) } : {}),
    lanes: new Map([[sink, lanes], ...served.map((each) => [each.sink, each.lanes] as const)]),
    common,
    problem,
    verifiers: (namespace) => served.find(({ name }) => name === namespace)?.verifiers ?? verifiers,
    version: packageVersion(),
    page: pageFacts(config),
    settings: {
      ...httpSettings(config.API),
      maxAnswerBytes: MaxAnswerBytes,
      answerPartBytes: AnswerPartBytes,
      compressAboveBytes: CompressAbove,
      maxFeedReaders: MaxFeedReaders,
      corsOrigins: CORS.Origins,
      trustedProxies: TrustedProxies,
      rateLimit: rateLimitOf(config),
    },
  });
  const url = await listen(server, 'query API', common, shutdown);
  return { url, limitRate: (settings) => server.limitRate(settings) };
}

/** The limit of a client address. */
export function rateLimitOf({ API: { RateLimit } }: Config): RateLimitSettings {
  return { enabled: RateLimit.Enabled, requestsPerSecond: RateLimit.RequestsPerSecond };
}

/** Starts the admin port. @returns where it listens. */
export async function openAdmin({
  config,
  common,
  sink,
  lanes,
  served,
  shutdown,
  verifiers,
  status,
  problem,
}: OpenServersOptions): Promise<string> {
  const server = createAdminServer({
    storage: sink,
    lanes,
    common,
    verifiers,
    page: pageFacts(config),
    settings: { ...httpSettings(config.Admin), bearerToken: config.Admin.BearerToken },
    registries: served.map(({ metrics }) => metrics),
    status,
    problem,
    explain: (_kind, query) => sink.explain(query),
  });
  return await listen(server, 'admin port', common, shutdown);
}

function httpSettings(section: Config['Admin']): HttpSettings {
  return {
    host: section.ListenAddress,
    port: section.ListenPort,
    maxConnections: section.MaxConnections,
    maxConnectionsPerAddress: section.MaxConnectionsPerAddress,
    firstByteTimeoutMs: section.FirstByteTimeout,
    readTimeoutMs: section.ReadTimeout,
  };
}

async function listen(server: HttpServer, name: string, common: Common, shutdown: Shutdown): Promise<string> {
  shutdown.add(name, () => server.close());
  await server.listen();
  const url = urlOf(server);
  common.log.info({ url, server: name }, 'listening');
  return url;
}

function urlOf(server: HttpServer): string {
  const { host, port } = server.address() ?? { host: '', port: 0 };
  const reachable = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${reachable}:${port}`;
}
