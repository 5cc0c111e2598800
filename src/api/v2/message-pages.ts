import { createContentsTest } from '../../model/contents-filter.js';
import { type KeyedPage, type ResolvedRange, resolveRange } from '../../model/list-query.js';
import { decodeCursor, encodeCursor, messageOrderKey, type OrderKey } from '../../model/order.js';
import { contentBytes } from '../../model/outlines.js';
import { readLane } from '../../model/payload.js';
import type { StoredMessage } from '../../model/records.js';
import { listNewestFirst } from '../../storage/newest-first.js';
import type { Storage } from '../../storage/storage.js';
import type { MessagesRequest } from './message-parameters.js';

/** The storage that pages are read from. */
export type MessageLists = Pick<Storage, 'list' | 'count' | 'queryUnfinishedMessages'>;

/** A page of messages, and the cursor of the one behind it. */
export interface MessagePage {
  readonly messages: readonly StoredMessage[];
  readonly nextCursor: string | null;
  /** Every change up to this position is shown. */
  readonly position: bigint;
}

/** Messages that are looked at for one page of some statuses. */
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
  storage: MessageLists,
  { query, order, statuses, cursor, limit }: Omit<MessagesRequest, 'contiguous'>,
  nowMs: number,
): Promise<MessagePage> {
  const range = resolveRange(query);
  // these have an index of their own, with nothing else in it
  const isUnfinished = statuses !== null && !statuses.has('success');
  const isInRange = isUnfinished ? createRangeTest(range) : () => true;
  const read = async (key: OrderKey | null, size: number): Promise<KeyedPage<StoredMessage>> => {
    if (isUnfinished) return await unfinishedPage(storage, range, order, key, size);
    return order === 'newest'
      ? await listNewestFirst(storage, 'message', { ...range, limit: size, before: key, nowMs })
      : await storage.list('message', { ...range, limit: size, offset: 0, after: key, maxBytes: Infinity });
  };
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
      if (!(statuses?.has(message.status) ?? true) || !isInRange(message)) continue;
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

/** Unfinished messages, as far as some of them may be in the range. */
async function unfinishedPage(
  storage: MessageLists,
  { startMs, endMs }: ResolvedRange,
  order: MessagesRequest['order'],
  after: OrderKey | null,
  limit: number,
): Promise<KeyedPage<StoredMessage>> {
  const page = await storage.queryUnfinishedMessages({ limit, after, order });
  const lastMs = page.next?.ingestionMs ?? 0;
  const isBehindRange = order === 'newest' ? lastMs < startMs : lastMs > endMs;
  return isBehindRange ? { ...page, next: null } : page;
}

function createRangeTest(range: ResolvedRange): (message: StoredMessage) => boolean {
  const { startMs, endMs, sourceChainSelectors: sources, destChainSelectors: dests, contents } = range;
  const hasContents = contents ? createContentsTest(contents) : () => true;
  return ({ ingestionMs, encodedMessage }) => {
    const { sourceChainSelector, destChainSelector } = readLane(encodedMessage);
    return (
      ingestionMs >= startMs &&
      ingestionMs <= endMs &&
      (sources?.has(sourceChainSelector) ?? true) &&
      (dests?.has(destChainSelector) ?? true) &&
      hasContents(encodedMessage)
    );
  };
}
