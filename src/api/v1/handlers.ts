import type { Common } from '../../core/common.js';
import type { ListQuery } from '../../model/list-query.js';
import type { Storage } from '../../storage/storage.js';
import { HttpError } from '../http/http-error.js';
import { type ListRequest, parseListRequest, type QueryString } from '../list-parameters.js';
import { parseMessageId } from '../message-id.js';
import { readiness } from '../readiness.js';
import type { Handler } from '../routes/add-route.js';
import { bodyBytes, messagesBody, type Renderer, verifierResultsBody, verifierResultsByIdAnswer } from './answers.js';
import type { RouteId } from './route-definitions.js';

/** The storage that this version asks. */
export type V1Storage = Pick<Storage, 'getCCVData' | 'getMessage' | 'queryCCVData' | 'queryMessages' | 'health'>;

/** The handlers of this version for one storage. */
export function createHandlers({
  storage,
  common,
  renderer,
  partBytes,
  problem,
  document,
}: {
  readonly storage: V1Storage;
  readonly common: Common;
  readonly renderer: Renderer;
  readonly partBytes: number;
  readonly problem: () => string | null;
  readonly document: object;
}): Readonly<Record<RouteId, Handler>> {
  const { tracing } = common;
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
      const told = tracing?.serve(request.id);
      const { items } = await storage.queryCCVData({ ...query, ...part });
      const shown = isNothing ? [] : items;
      told?.(shown);
      hold(bodyBytes(shown, partBytes));
      return { body: await verifierResultsBody(shown, renderer) };
    },
    async verifierResultsById(request, hold) {
      const messageId = parseMessageId((request.params as { readonly messageID: string }).messageID);
      const told = tracing?.serve(request.id);
      const results = await storage.getCCVData(messageId, part);
      told?.(results);
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
