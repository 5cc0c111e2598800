import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Common } from '../../core/common.js';
import { InvalidArgumentError } from '../../core/errors.js';
import { secrets } from '../../core/masker.js';
import { type Registry, scrape } from '../../core/metrics.js';
import { createLanes, type Lanes } from '../../lanes/lanes.js';
import type { ListQuery } from '../../model/list-query.js';
import { stringifyExactJson } from '../../protocol/exact-json.js';
import type { Storage } from '../../storage/storage.js';
import {
  type AdminSettings,
  DEFAULT_ANSWER_PART_BYTES,
  DEFAULT_COMPRESS_ABOVE_BYTES,
  resolveHttpSettings,
} from '../api-settings.js';
import { HttpError } from '../http/http-error.js';
import { createHttpShell, type HttpServer } from '../http/http-shell.js';
import { parseListRequest, type QueryParameter, type QueryString, read } from '../list-parameters.js';
import { parseMessageId } from '../message-id.js';
import { createPage, PAGE_PATHS, type PageFacts } from '../page/page-route.js';
import { readiness } from '../readiness.js';
import { createAnswerBudget } from '../routes/answer-budget.js';
import { createBodyMemory } from '../routes/body-memory.js';
import { createPathTest } from '../routes/route-definition.js';
import { addV2Routes, type V2ServerStorage } from '../server/add-v2-routes.js';
import { VERSIONS } from '../server/versions.js';
import { createFeeds } from '../v2/feed/feed-route.js';
import { UNKNOWN_VERIFIERS, type VerifierDirectory } from '../v2/verifiers.js';
import { describeMessage, describeQuarantine } from './admin-records.js';
import { CHALLENGE, createTokenTest } from './bearer-token.js';

/** Which list a plan is asked for. */
export type ExplainKind = 'verifierresults' | 'messages';

/** Dependencies and settings of the admin port. */
export interface AdminServerOptions {
  readonly storage: Pick<Storage, 'queryQuarantine' | 'queryConflicts' | 'health'> & V2ServerStorage;
  readonly common: Common;
  /** Without a token everybody who reaches the address is an operator. */
  readonly settings: AdminSettings;
  /** Sources, cursors, lag, tiers with coverage, counts, version: shown as it comes. Bigints keep their digits. */
  readonly status: () => Promise<unknown>;
  /** Registries whose metrics a scrape gives beside those of `common`. Default: none. */
  readonly registries?: readonly Registry[];
  /** Why the process cannot do its work as configured, for `/ready`; null when it can. Default: it always can. */
  readonly problem?: () => string | null;
  /** The plan of a list query, usually the Sink's `explain`. */
  readonly explain: (kind: ExplainKind, query: ListQuery) => unknown;
  /** The verifiers of the storage's namespace. Default: nothing tells them. */
  readonly verifiers?: VerifierDirectory;
  /** The lanes of the storage. They are not closed with the server. Default: counted from the first question on. */
  readonly lanes?: Lanes;
  /** The page at `/`. Default: none, and `/` is the status. */
  readonly page?: PageFacts | null;
}

/** Probes carry no token. */
const OPEN_PATHS = ['/health', '/ready'];
const OWN_PATHS = [...OPEN_PATHS, '/metrics', '/status', '/explain', '/quarantine', '/conflicts'];
const isKnownPath = createPathTest([
  ...[...OWN_PATHS, '/messages/:messageID', ...PAGE_PATHS].map((path) => ({ path })),
  ...VERSIONS.flatMap(({ routes }) => routes).filter(({ path }) => path.startsWith('/v2/')),
]);

/** Memory of the answers of `/v2` under way, and of sent ones that is kept. Operators are few. */
const ANSWER_BYTES = 32 * 1024 * 1024;
const IDLE_BODY_BYTES = 4 * 1024 * 1024;

const KIND: QueryParameter<ExplainKind> = {
  name: 'kind',
  description: 'Which list.',
  schema: z.enum(['verifierresults', 'messages'], { error: 'must be verifierresults or messages' }),
  kind: 'single',
  shown: 'input',
};

/** Databases count no further. */
const MAX_POSITION = 2n ** 63n - 1n;

const AFTER: QueryParameter<bigint> = {
  name: 'after',
  description: 'Position of the last entry of the page before.',
  schema: z
    .string()
    .regex(/^\d{1,19}$/, { error: 'must be a position', abort: true })
    .transform(BigInt)
    .refine((position) => position <= MAX_POSITION, { error: `must be a position, at most ${MAX_POSITION}` }),
  kind: 'single',
  shown: 'input',
};

const BYTES: QueryParameter<boolean> = {
  name: 'bytes',
  description: 'Whether quarantined bytes are shown, not only their number.',
  schema: z.enum(['true', 'false'], { error: 'must be true or false' }).transform((text) => text === 'true'),
  kind: 'single',
  shown: 'input',
};

/**
 * The admin port: `/metrics` (Prometheus), `/status`, `/explain?kind=…` with the parameters of a list, `/messages/:id`,
 * `/quarantine` (with `bytes=true` the bytes) and `/conflicts` (pages by `after` and `limit`), `/health`, `/ready`, and
 * the page for operators at `/` with the routes of `/v2`, which it asks.
 */
export function createAdminServer(options: AdminServerOptions): HttpServer {
  const { storage, common, settings, status, explain, registries = [], problem = () => null } = options;
  const resolved = resolveHttpSettings(settings);
  const server = createHttpShell({
    common,
    name: 'admin port',
    id: 'admin',
    settings: resolved,
    metered: false,
    isKnownPath,
    tellsProblems: (path) => path.startsWith('/v2/'),
  });
  const { app } = server;
  if (settings.bearerToken !== undefined) {
    const isAllowed = createTokenTest(settings.bearerToken);
    app.addHook('onRequest', async (request, reply) => {
      if (OPEN_PATHS.includes(request.routeOptions.url ?? '') || isAllowed(request.headers.authorization)) return;
      reply.header('www-authenticate', CHALLENGE);
      throw new HttpError(401, 'the admin port asks for its token: send "Authorization: Bearer …"');
    });
  }
  // errors of nodes and raw bytes in quarantine can hold a secret
  app.addHook('onSend', async (_request, reply, payload: unknown) => {
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload;
    return String(reply.getHeader('content-type')).startsWith('application/json')
      ? secrets.json(String(payload))
      : payload;
  });

  app.get('/health', async (_request, reply) => reply.send());
  app.get('/ready', async (_request, reply) => {
    const { healthy, reason } = await readiness(storage, common.clock);
    if (!healthy) throw new HttpError(503, `storage cannot do its work now: ${reason}`);
    const why = problem();
    if (why !== null) throw new HttpError(503, why);
    return reply.send();
  });
  app.get('/metrics', async (_request, reply) =>
    reply.header('content-type', common.metrics.contentType).send(await scrape([common.metrics, ...registries])),
  );
  const page = options.page ? createPage(common, options.page, true) : null;
  for (const path of page ? ['/status'] : ['/', '/status'])
    app.get(path, async (_request, reply) => sendJson(reply, stringifyExactJson(await status())));
  app.get('/explain', async (request, reply) => {
    const query = request.query as QueryString;
    const kind = read(KIND, query);
    if (kind === undefined) throw new InvalidArgumentError('bad kind: must be verifierresults or messages');
    const { limit, ...rest } = parseListRequest(query);
    return sendJson(reply, stringifyExactJson(await explain(kind, { ...rest, limit: Math.max(1, limit) })));
  });
  app.get('/messages/:messageID', async (request, reply) => {
    const messageId = parseMessageId((request.params as { readonly messageID: string }).messageID);
    return sendJson(reply, await describeMessage(storage, messageId));
  });
  app.get('/quarantine', async (request, reply) => {
    const showsBytes = read(BYTES, request.query as QueryString) ?? false;
    const quarantine = await describeQuarantine(storage, pageOf(request), showsBytes);
    return sendJson(reply, stringifyExactJson({ quarantine }));
  });
  app.get('/conflicts', async (request, reply) =>
    sendJson(reply, stringifyExactJson({ conflicts: await storage.queryConflicts(pageOf(request)) })),
  );
  const feeds = createFeeds(common, resolved.maxConnections);
  const lanes = options.lanes ?? createLanes({ storage, common });
  const parts = {
    memory: createBodyMemory({ maxIdleBytes: IDLE_BODY_BYTES }),
    budget: createAnswerBudget(ANSWER_BYTES, common.metrics),
    common,
    compressAboveBytes: DEFAULT_COMPRESS_ABOVE_BYTES,
  };
  const { verifiers = UNKNOWN_VERIFIERS } = options;
  addV2Routes(app, '', { storage, lanes, verifiers, partBytes: DEFAULT_ANSWER_PART_BYTES, parts, feeds });
  page?.addRoutes(app, '');
  return {
    ...server,
    async close() {
      feeds.close();
      await server.close();
      if (!options.lanes) await lanes.close();
    },
  };
}

function pageOf(request: FastifyRequest): { readonly afterPosition: bigint; readonly limit: number } {
  const query = request.query as QueryString;
  return { afterPosition: read(AFTER, query) ?? 0n, limit: Math.max(1, parseListRequest(query).limit) };
}

function sendJson(reply: FastifyReply, json: string): FastifyReply {
  return reply.header('content-type', 'application/json').send(Buffer.from(json));
}
