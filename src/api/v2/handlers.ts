import type { Common } from '../../core/common.js';
import type { Hex } from '../../core/hex.js';
import { contentBytes } from '../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { CCVDataNotFoundError } from '../../model/storage-errors.js';
import type { Storage } from '../../storage/storage.js';
import type { QueryString } from '../list-parameters.js';
import { parseMessageId } from '../message-id.js';
import type { Handler } from '../routes/add-route.js';
import { type MessageLists, messagePage } from './message-pages.js';
import { parseMessagesRequest, requireKnown } from './message-parameters.js';
import { messageDetail, messageOf, transactionOf } from './records.js';
import type { RouteId } from './route-definitions.js';
import { findTransaction, parseTransactionHash } from './transactions.js';

/** The storage that this version asks. */
export type V2Storage = Pick<Storage, 'getCCVData' | 'getMessage' | 'getExecutions' | 'getTransaction'> & MessageLists;

/** Bytes of a message's JSON besides its contents, about. */
const RECORD_BYTES = 2_048;
/** Bytes of an execution's JSON besides its return data, about. */
const EXECUTION_BYTES = 1_024;

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
      // before they are rendered: an answer that is refused has cost no memory
      hold(messages.reduce((sum, message) => sum + renderedBytes(message), 0));
      return { body: toJson({ messages: messages.map(messageOf), nextCursor, position: String(position) }) };
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
      const body = toJson(messageDetail(message, results, executions));
      hold(body.length);
      return { body };
    },
    async transactionV2(request, hold) {
      requireKnown(request.query as QueryString, []);
      const { transactionHash } = request.params as { readonly transactionHash: string };
      const found = await findTransaction(storage, parseTransactionHash(transactionHash));
      const executed = found.executions.map(
        ({ execution, message }) =>
          EXECUTION_BYTES + 2 * execution.returnData.length + (message ? renderedBytes(message) : 0),
      );
      hold([...executed, ...found.messages.map(renderedBytes)].reduce((sum, size) => sum + size, 0));
      return { body: toJson(transactionOf(found)) };
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

/** About how long the JSON of a message is: its data stands there twice, as hex. */
function renderedBytes(message: StoredMessage): number {
  return 4 * contentBytes(message) + RECORD_BYTES;
}

function toJson(answer: object): Buffer {
  return Buffer.from(JSON.stringify(answer));
}
