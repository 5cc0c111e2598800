import type { Common } from '../../core/common.js';
import type { Lanes } from '../../lanes/lanes.js';
import { readMessagePlace } from '../../model/message-place.js';
import type { StoredMessage } from '../../model/records.js';
import type { Storage } from '../../storage/storage.js';
import type { QueryString } from '../list-parameters.js';
import { parseMessageId } from '../message-id.js';
import type { Handler } from '../routes/add-route.js';
import { EXECUTION_BYTES, messageBytes } from './answer-size.js';
import { detailAnswer, detailBytes, resultsOf } from './message-detail.js';
import { type MessageLists, type MessagePage, messagePage } from './message-pages.js';
import { parseMessagesRequest, requireKnown } from './message-parameters.js';
import { messageOf, transactionOf } from './records.js';
import type { RouteId } from './route-definitions.js';
import { createResultCount, statsOf } from './stats.js';
import { findTransaction, parseTransactionHash } from './transactions.js';
import { verifiersOf } from './verifier-answers.js';
import { serves, type VerifierDirectory } from './verifiers.js';

/** The storage that this version asks. */
export type V2Storage = Pick<Storage, 'getCCVData' | 'getMessage' | 'getExecutions' | 'getTransaction'> & MessageLists;

/** The handlers of this version for one storage. */
export function createHandlers({
  storage,
  lanes,
  common,
  verifiers,
  partBytes,
}: {
  readonly storage: V2Storage;
  readonly lanes: Lanes;
  readonly common: Common;
  readonly verifiers: VerifierDirectory;
  readonly partBytes: number;
}): Readonly<Record<RouteId, Handler>> {
  const countResults = createResultCount(storage, common.clock);
  return {
    async messagesV2(request, hold) {
      const wanted = parseMessagesRequest(request.query as QueryString);
      const page = await messagePage(storage, wanted, common.clock.nowMs());
      const { nextCursor, position } = page;
      const messages = wanted.contiguous ? await contiguousOf(page, lanes) : page.messages;
      // before they are rendered: an answer that is refused has cost no memory
      hold(messages.reduce((sum, message) => sum + messageBytes(message), 0));
      return { body: toJson({ messages: messages.map(messageOf), nextCursor, position: String(position) }) };
    },
    async messageV2(request, hold) {
      requireKnown(request.query as QueryString, []);
      const messageId = parseMessageId((request.params as { readonly messageID: string }).messageID);
      const told = common.tracing?.serve(request.id);
      const message = await storage.getMessage(messageId);
      // read after the message: a message that is verified shows its verifications
      const [results, executions, served] = await Promise.all([
        resultsOf(storage, messageId, partBytes),
        storage.getExecutions(messageId),
        serves(verifiers),
      ]);
      told?.(results);
      const detail = { message, results, executions, serves: served };
      hold(detailBytes(detail, partBytes));
      return await detailAnswer(detail, storage);
    },
    async transactionV2(request, hold) {
      requireKnown(request.query as QueryString, []);
      const { transactionHash } = request.params as { readonly transactionHash: string };
      const found = await findTransaction(storage, parseTransactionHash(transactionHash));
      const executed = found.executions.map(
        ({ execution, message }) =>
          EXECUTION_BYTES + 2 * execution.returnData.length + (message ? messageBytes(message) : 0),
      );
      hold([...executed, ...found.messages.map(messageBytes)].reduce((sum, size) => sum + size, 0));
      return { body: toJson(transactionOf(found)) };
    },
    async verifiersV2(request) {
      requireKnown(request.query as QueryString, []);
      const known = await verifiers.list();
      return { body: toJson(verifiersOf(known, await lanes.board(), common.clock.nowMs())) };
    },
    async statsV2(request) {
      requireKnown(request.query as QueryString, []);
      const results = await countResults();
      return { body: toJson(statsOf(await lanes.board(), results, common.clock.nowMs())) };
    },
  };
}

/** Those of a page below which no message of their OnRamp is missing, by a board that is as far as the page. */
async function contiguousOf({ messages, position }: MessagePage, lanes: Lanes): Promise<readonly StoredMessage[]> {
  const board = await lanes.boardAt(position);
  return messages.filter(({ encodedMessage }) => {
    const place = readMessagePlace(encodedMessage);
    const numbers = board.lane(place)?.onRamps.get(place.onRampAddress)?.numbers;
    return place.messageNumber <= (numbers?.contiguous ?? -1n);
  });
}

function toJson(answer: object): Buffer {
  return Buffer.from(JSON.stringify(answer));
}
