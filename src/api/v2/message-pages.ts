import type { ListedRecords } from '../../model/list-kinds.js';
import { type KeyedPage, resolveRange } from '../../model/list-query.js';
import { decodeCursor, encodeCursor, messageOrderKey, type OrderKey } from '../../model/order.js';
import { contentBytes } from '../../model/outlines.js';
import type { StoredMessage } from '../../model/records.js';
import type { ResolvedLists } from '../../storage/list-face.js';
import { listNewestFirst } from '../../storage/newest-first.js';
import type { MessagesRequest } from './message-parameters.js';

/** A page of messages, and the cursor of the one behind it. */
export interface MessagePage {
  readonly messages: readonly StoredMessage[];
  readonly nextCursor: string | null;
  /** Every change up to this position is shown. */
  readonly position: bigint;
}

/** Messages that are looked at for one page: a status has no index of its own, since it changes. */
const MAX_SCANNED = 5_000;
/** Messages of one read in such a search, however few the page takes. */
const SCAN_STEP = 500;
/** A page ends with the message that reaches so many bytes: its JSON is four times as long. */
const PAGE_BYTES = 8 << 20;

/**
 * A page in either direction. Of some statuses, or of large messages, it may be shorter than its limit although more
 * follow: the next page begins where it ended. It ends as well where messages moved between two reads, since one of
 * them may have passed from a part that is not read yet to one that is.
 * @throws InvalidArgumentError, and as the lists do.
 */
export async function messagePage(
  lists: ResolvedLists,
  { query, order, statuses, cursor, limit }: MessagesRequest,
  nowMs: number,
): Promise<MessagePage> {
  const range = resolveRange(query);
  const read = async (key: OrderKey | null, size: number): Promise<KeyedPage<ListedRecords['message']>> =>
    order === 'newest'
      ? await listNewestFirst(lists, 'message', { ...range, limit: size, before: key, nowMs })
      : await lists.list('message', { ...range, limit: size, offset: 0, after: key, maxBytes: Infinity });
  const messages: StoredMessage[] = [];
  let position: bigint | null = null;
  let key = cursor === undefined ? null : decodeCursor(cursor);
  let bytes = 0;
  for (let scanned = 0; ; ) {
    const page = await read(key, statuses === null ? limit : Math.max(limit, SCAN_STEP));
    if (position !== null && key !== null && page.asOf.movePosition > position)
      return { messages, nextCursor: encodeCursor(key), position };
    scanned += page.items.length;
    if (position === null || page.asOf.position < position) position = page.asOf.position;
    for (const message of page.items) {
      if (statuses !== null && !statuses.has(message.status)) continue;
      messages.push(message);
      bytes += contentBytes(message);
      if (messages.length < limit && bytes < PAGE_BYTES) continue;
      const isLast = page.next === null && message === page.items.at(-1);
      return { messages, nextCursor: isLast ? null : encodeCursor(messageOrderKey(message)), position };
    }
    key = page.next;
    if (key === null || scanned >= MAX_SCANNED)
      return { messages, nextCursor: key === null ? null : encodeCursor(key), position };
  }
}
