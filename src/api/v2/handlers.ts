import type { Common } from '../../core/common.js';
import type { Hex } from '../../core/hex.js';
import type { StoredVerifierResult } from '../../model/records.js';
import { CCVDataNotFoundError } from '../../model/storage-errors.js';
import type { Storage } from '../../storage/storage.js';
import type { QueryString } from '../list-parameters.js';
import { parseMessageId } from '../message-id.js';
import type { Handler } from '../routes/add-route.js';
import { messagePage } from './message-pages.js';
import { parseMessagesRequest, requireKnown } from './message-parameters.js';
import { messageDetail, messageOf } from './records.js';
import type { RouteId } from './route-definitions.js';

/** The storage that this version asks. */
export type V2Storage = Pick<Storage, 'getCCVData' | 'getMessage' | 'getExecutions' | 'list' | 'count'>;

/** The handlers of this version for one storage. */
export function createHandlers({
  storage,
  common,
}: {
  readonly storage: V2Storage;
  readonly common: Common;
}): Readonly<Record<RouteId, Handler>> {
  return {
    async messagesV2(request, hold) {
      const wanted = parseMessagesRequest(request.query as QueryString);
      const { messages, nextCursor, position } = await messagePage(storage, wanted, common.clock.nowMs());
      return jsonAnswer({ messages: messages.map(messageOf), nextCursor, position: String(position) }, hold);
    },
    async messageV2(request, hold) {
      requireKnown(request.query as QueryString, []);
      const messageId = parseMessageId((request.params as { readonly messageID: string }).messageID);
      const message = await storage.getMessage(messageId);
      // read after the message: a message that is verified shows its verifications
      const [results, executions] = await Promise.all([
        resultsOf(storage, messageId),
        storage.getExecutions(messageId),
      ]);
      return jsonAnswer(messageDetail(message, results, executions), hold);
    },
  };
}

async function resultsOf(storage: V2Storage, messageId: Hex): Promise<readonly StoredVerifierResult[]> {
  try {
    return await storage.getCCVData(messageId);
  } catch (thrown) {
    if (thrown instanceof CCVDataNotFoundError) return [];
    throw thrown;
  }
}

function jsonAnswer(answer: object, hold: Parameters<Handler>[1]) {
  const body = Buffer.from(JSON.stringify(answer));
  hold(body.length);
  return { body };
}
