import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Common } from '../../core/common.js';
import { maxDescriptors } from '../../core/descriptors.js';
import { IndexerError, toError } from '../../core/errors.js';
import type { ResolvedHttpSettings } from '../api-settings.js';
import { type ConnectionMetrics, createConnectionMetrics } from './connection-metrics.js';
import { type ConnectionLimits, type Connections, watchConnections } from './connections.js';
import type { Cors } from './cors.js';
import { endUnsent } from './end-unsent.js';
import { errorAnswer, errorBody, HttpError, problemBody } from './http-error.js';
import { createHttpMetrics } from './http-metrics.js';
import { createRequestIds, REQUEST_ID_HEADER } from './request-id.js';
import { traceRequest } from './trace-request.js';
import { createProxyTest } from './trusted-proxies.js';

/** The server could not start to listen: the port is taken, or the address is not this machine's. */
class ListenError extends IndexerError {
  constructor(server: string, host: string, port: number, cause: Error) {
    super('LISTEN_FAILED', `${server} cannot listen on ${host}:${port}`, false, {
      cause,
      details: { server, host, port },
    });
  }
}

/** A running HTTP server. */
export interface HttpServer {
  /** For `inject` in tests. */
  readonly app: FastifyInstance;
  /** Where it listens, or null before `listen` and after `close`. */
  address(): { readonly host: string; readonly port: number } | null;
  /** @throws ListenError */
  listen(): Promise<void>;
  /**
   * Accepts no more connections, closes idle ones, lets requests under way finish within the drain limit, then cuts the
   * others. Idempotent.
   */
  close(): Promise<void>;
}

/** Differences of one server from the other. */
export interface HttpShellOptions {
  readonly common: Common;
  /** For logs and errors, for example `query API`. */
  readonly name: string;
  /** For metrics. */
  readonly id: 'api' | 'admin';
  readonly settings: ResolvedHttpSettings;
  readonly trustedProxies?: readonly string[];
  /** Default: pages of other origins read nothing. */
  readonly cors?: Cors | null;
  /** Whether requests count in the HTTP metrics. */
  readonly metered: boolean;
  /** Whether a path, given without a slash at its end, belongs to some route: a wrong method is a 405 and not a 404. */
  readonly isKnownPath: (path: string) => boolean;
  /** Paths whose errors are problems of RFC 9457. Default: none. */
  readonly tellsProblems?: (path: string) => boolean;
}

/**
 * A Fastify server with the parts that both servers share: limits, request ids, error bodies for every failure down to
 * the parser's, metrics, and a drain. The caller adds routes to `app`.
 */
export function createHttpShell(options: HttpShellOptions): HttpServer {
  const { common, name, settings } = options;
  const metrics = createConnectionMetrics(common.metrics, options.id);
  const app = createFastify(options, metrics);
  addRequestHook(
    app,
    options,
    watchConnections(app.server, connectionLimits(options), { clock: common.clock, metrics }),
  );
  app.setErrorHandler((error, request, reply) => sendError(options, request, reply, error));
  app.setNotFoundHandler((request, reply) => sendError(options, request, reply, new HttpError(404, 'not found')));
  let closing: Promise<void> | undefined;

  async function drain(): Promise<void> {
    const cancelCut = common.clock.after(settings.drainLimitMs, () => {
      common.log.warn(
        { server: name, drainLimitMs: settings.drainLimitMs },
        'drain limit reached, cutting connections',
      );
      app.server.closeAllConnections();
    });
    try {
      await app.close();
    } finally {
      cancelCut();
    }
  }

  return {
    app,
    address() {
      const bound = app.server.address() as AddressInfo | null;
      return bound === null ? null : { host: bound.address, port: bound.port };
    },
    async listen() {
      try {
        await app.listen({ host: settings.host, port: settings.port });
      } catch (thrown) {
        throw new ListenError(name, settings.host, settings.port, toError(thrown));
      }
    },
    close() {
      closing ??= drain();
      return closing;
    },
  };
}

/** Of the files and sockets that the process may have open: storages, nodes and verifiers need the rest. */
const DESCRIPTOR_SHARE = { api: 0.4, admin: 0.1 } as const;

function connectionLimits({ common, name, id, settings, trustedProxies = [] }: HttpShellOptions): ConnectionLimits {
  const descriptors = maxDescriptors();
  const maxConnections = Math.max(1, Math.min(settings.maxConnections, Math.floor(descriptors * DESCRIPTOR_SHARE[id])));
  if (maxConnections < settings.maxConnections)
    common.log.warn(
      { server: name, descriptors, maxConnections, configured: settings.maxConnections },
      'fewer connections than configured: the process may open too few files',
    );
  return { ...settings, maxConnections, isProxy: createProxyTest(trustedProxies) };
}

function createFastify(options: HttpShellOptions, metrics: ConnectionMetrics): FastifyInstance {
  const { common, settings, trustedProxies, cors } = options;
  const app = fastify({
    logger: false,
    genReqId: createRequestIds(common.random),
    trustProxy: trustedProxies && trustedProxies.length > 0 ? [...trustedProxies] : false,
    // a request that reaches us while we drain is answered, on a connection that then closes
    return503OnClosing: false,
    // closing idle connections is part of `server.close()` already, in our own way
    forceCloseConnections: false,
    keepAliveTimeout: settings.keepAliveTimeoutMs,
    requestTimeout: settings.requestTimeoutMs,
    http: {
      maxHeaderSize: settings.maxHeaderBytes,
      headersTimeout: settings.requestTimeoutMs,
      connectionsCheckingInterval: Math.max(1, Math.floor(settings.requestTimeoutMs / REQUEST_LOOKS)),
      // a missing one is told with the error body, by the hook
      requireHostHeader: false,
    },
    // a longer parameter meets its own check, which names the fault
    routerOptions: { maxParamLength: settings.maxUrlBytes, ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => {
      cors?.admit(request, reply);
      sendError(options, request, reply, new HttpError(error.statusCode ?? 400, 'malformed URL'));
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, metrics),
  });
  // Node drops headers above its own limit silently, a late Host among them: bytes limit them, the hook counts
  app.server.maxHeadersCount = 0;
  // without this Node answers with an empty body
  app.server.on('checkExpectation', (_request, response: ServerResponse) => {
    const body = errorBody({ status: 417, message: 'expectation failed: only 100-continue' });
    response.writeHead(417, { 'content-type': 'application/json', connection: 'close' }).end(body);
  });
  return app;
}

function addRequestHook(app: FastifyInstance, options: HttpShellOptions, connections: Connections): void {
  const { settings, isKnownPath, cors } = options;
  const observe = createObserver(options, connections);
  const tracing = options.id === 'api' ? options.common.tracing : null;

  app.addHook('onRequest', (request, reply, done) => {
    observe(request, reply);
    // after it, so that its line of the log is still of the trace
    if (tracing) traceRequest(tracing, request, reply);
    endUnsent(request, reply);
    reply.header(REQUEST_ID_HEADER, request.id);
    cors?.admit(request, reply);
    if (cors?.answerPreflight(request, reply)) return;
    const refusal = refuse(request, settings, isKnownPath);
    if (!refusal) return done();
    if (refusal.status === 405) reply.header('allow', 'GET, HEAD');
    sendError(options, request, reply, refusal);
  });
}

/** The fault of a request before its parameters are looked at. Bodies are never read. */
function refuse(
  request: FastifyRequest,
  settings: ResolvedHttpSettings,
  isKnownPath: (path: string) => boolean,
): HttpError | null {
  if (request.raw.rawHeaders.length > settings.maxHeaders * 2) return new HttpError(431, 'too many headers');
  const url = request.raw.url ?? '';
  if (url.length > settings.maxUrlBytes) return new HttpError(414, `URL longer than ${settings.maxUrlBytes} bytes`);
  const hosts = countHosts(request.raw.rawHeaders);
  if (hosts !== 1 && (hosts > 1 || request.raw.httpVersion === '1.1'))
    return new HttpError(400, `a request has one Host header, this one ${hosts}`);
  if (!request.is404) return null;
  const [path = ''] = url.split('?', 1);
  return isKnownPath(path.replace(/(?<=.)\/$/, ''))
    ? new HttpError(405, 'method not allowed: use GET')
    : new HttpError(404, 'not found');
}

/** Node keeps the first of several. */
function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts;
}

/** Counts, times and (at debug level) logs a request at the end of its answer, or when the client went away. */
function createObserver({ common, metered, name }: HttpShellOptions, connections: Connections) {
  const { clock, log } = common;
  const metrics = metered ? createHttpMetrics(common.metrics) : null;
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const startMs = clock.monotonicMs();
    const { socket } = request.raw;
    metrics?.began();
    connections.began(socket);
    // comes once: `once` would wrap the listener, and take it off again
    reply.raw.on('close', () => {
      connections.ended(socket);
      const durationMs = clock.monotonicMs() - startMs;
      const route = request.routeOptions.url ?? 'unknown';
      const status = reply.raw.writableFinished ? String(reply.raw.statusCode) : 'aborted';
      metrics?.ended(request.method, route, status, durationMs);
      if (log.isLevelEnabled('debug'))
        log.debug(
          { server: name, requestId: request.id, method: request.method, url: request.url, status, durationMs },
          'request answered',
        );
    });
  };
}

/** Answers with the error body. Failures that are ours are logged with everything that the client is not told. */
function sendError(
  { common, tellsProblems = () => false }: HttpShellOptions,
  request: FastifyRequest,
  reply: FastifyReply,
  thrown: unknown,
): void {
  const answer = errorAnswer(fromFramework(thrown), request.id);
  const facts = {
    err: toError(thrown),
    requestId: request.id,
    route: request.routeOptions?.url,
    status: answer.status,
  };
  if (answer.status === 503) {
    common.log.warn(facts, 'request not answered');
    reply.header('retry-after', '1');
  } else if (answer.status >= 500) common.log.error(facts, 'request failed');
  const isProblem = tellsProblems((request.raw.url ?? '').split('?', 1)[0] ?? '');
  reply
    .code(answer.status)
    .header('content-type', isProblem ? 'application/problem+json' : 'application/json')
    .send(Buffer.from(isProblem ? problemBody(answer, request.id) : errorBody(answer)));
}

/** Fastify's own errors carry a status; their texts speak of Fastify, so the client gets the status's name. */
function fromFramework(thrown: unknown): unknown {
  if (thrown instanceof IndexerError || !(thrown instanceof Error) || !('statusCode' in thrown)) return thrown;
  const { statusCode } = thrown;
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode > 499) return thrown;
  return new HttpError(statusCode, (STATUS_CODES[statusCode] ?? 'bad request').toLowerCase());
}

/** A request that the HTTP parser refuses never becomes one: the answer is written to the bare socket. */
function answerClientError(error: Error & { code?: string }, socket: Socket, metrics: ConnectionMetrics): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    metrics.closed(socket.bytesRead === 0 ? 'no_first_byte' : 'late_request');
  const status = CLIENT_ERROR_STATUS[error.code ?? ''] ?? 400;
  const reason = STATUS_CODES[status] ?? 'Bad Request';
  const body = errorBody({ status, message: reason.toLowerCase() });
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `connection: close\r\n\r\n${body}`,
  );
  // a client that never closes its side must not keep the connection
  socket.destroySoon();
}

/** Late requests are looked for so often in the time that they have. */
const REQUEST_LOOKS = 4;

const CLIENT_ERROR_STATUS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};
