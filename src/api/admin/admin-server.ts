import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Common } from '../../core/common.js';
import { InvalidArgumentError } from '../../core/errors.js';
import { secrets } from '../../core/masker.js';
import { type Registry, scrape } from '../../core/metrics.js';
import type { ListQuery } from '../../model/list-query.js';
import { stringifyExactJson } from '../../protocol/exact-json.js';
import type { Storage } from '../../storage/storage.js';
import { type AdminSettings, resolveHttpSettings } from '../api-settings.js';
import { HttpError } from '../http/http-error.js';
import { createHttpShell, type HttpServer } from '../http/http-shell.js';
import { parseListRequest, type QueryParameter, type QueryString, read } from '../list-parameters.js';
import { parseMessageId } from '../message-id.js';
import { readiness } from '../readiness.js';
import { renderPage } from './admin-page.js';
import { describeMessage, describeQuarantine } from './admin-records.js';

/** Which list a plan is asked for. */
export type ExplainKind = 'verifierresults' | 'messages';

/** Dependencies and settings of the admin port. */
export interface AdminServerOptions {
  readonly storage: Pick<
    Storage,
    'getMessage' | 'getCCVData' | 'getExecutions' | 'queryQuarantine' | 'queryConflicts' | 'health'
  >;
  readonly common: Common;
  /**
   * There is no authentication here: bind 127.0.0.1 (the configuration's default), or an address that only operators
   * reach.
   */
  readonly settings: AdminSettings;
  /** Sources, cursors, lag, tiers with coverage, counts, version: shown as it comes. Bigints keep their digits. */
  readonly status: () => Promise<unknown>;
  /** Registries whose metrics a scrape gives beside those of `common`. Default: none. */
  readonly registries?: readonly Registry[];
  /** Why the process cannot do its work as configured, for `/ready`; null when it can. Default: it always can. */
  readonly problem?: () => string | null;
  /** The plan of a list query, usually the Sink's `explain`. */
  readonly explain: (kind: ExplainKind, query: ListQuery) => unknown;
}

const PATHS = ['/health', '/ready', '/metrics', '/', '/status', '/explain', '/quarantine', '/conflicts'];
const MESSAGE_PATH = /^\/messages\/[^/]*$/;

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
 * The admin port: `/metrics` (Prometheus), `/status` (JSON, or a page for browsers), `/explain?kind=…` with the
 * parameters of a list, `/messages/:id`, `/quarantine` (with `bytes=true` the bytes) and `/conflicts` (pages by `after`
 * and `limit`), `/health`, `/ready`.
 */
export function createAdminServer(options: AdminServerOptions): HttpServer {
  const { storage, common, settings, status, explain, registries = [], problem = () => null } = options;
  const server = createHttpShell({
    common,
    name: 'admin port',
    id: 'admin',
    settings: resolveHttpSettings(settings),
    metered: false,
    isKnownPath: (path) => PATHS.includes(path) || MESSAGE_PATH.test(path),
  });
  const { app } = server;
  // errors of nodes and raw bytes in quarantine can hold a secret
  app.addHook('onSend', async (_request, reply, payload: unknown) => {
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload;
    const type = String(reply.getHeader('content-type'));
    if (type.startsWith('application/json')) return secrets.json(String(payload));
    return type.startsWith('text/html') ? secrets.text(String(payload)) : payload;
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
  for (const path of ['/', '/status'])
    app.get(path, async (request, reply) => sendEither(request, reply, 'CCV indexer', await status()));
  app.get('/explain', async (request, reply) => {
    const query = request.query as QueryString;
    const kind = read(KIND, query);
    if (kind === undefined) throw new InvalidArgumentError('bad kind: must be verifierresults or messages');
    const { limit, ...rest } = parseListRequest(query);
    return sendEither(request, reply, 'Query plan', await explain(kind, { ...rest, limit: Math.max(1, limit) }));
  });
  app.get('/messages/:messageID', async (request, reply) => {
    const messageId = parseMessageId((request.params as { readonly messageID: string }).messageID);
    return sendJson(reply, await describeMessage(storage, messageId));
  });
  app.get('/quarantine', async (request, reply) => {
    const showsBytes = read(BYTES, request.query as QueryString) ?? false;
    return sendEither(request, reply, 'Quarantine', {
      quarantine: await describeQuarantine(storage, pageOf(request), showsBytes),
    });
  });
  app.get('/conflicts', async (request, reply) =>
    sendEither(request, reply, 'Conflicts', { conflicts: await storage.queryConflicts(pageOf(request)) }),
  );
  return server;
}

function pageOf(request: FastifyRequest): { readonly afterPosition: bigint; readonly limit: number } {
  const query = request.query as QueryString;
  return { afterPosition: read(AFTER, query) ?? 0n, limit: Math.max(1, parseListRequest(query).limit) };
}

function sendJson(reply: FastifyReply, json: string): FastifyReply {
  return reply.header('content-type', 'application/json').send(Buffer.from(json));
}

/** A page for browsers, JSON for everyone else. */
function sendEither(request: FastifyRequest, reply: FastifyReply, title: string, value: unknown): FastifyReply {
  if (!request.headers.accept?.includes('text/html')) return sendJson(reply, stringifyExactJson(value));
  return reply
    .header('content-type', 'text/html; charset=utf-8')
    .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
    .send(renderPage(title, value));
}
