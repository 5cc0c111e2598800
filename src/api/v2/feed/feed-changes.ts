import type { Change } from '../../../model/batch.js';
import { readLane } from '../../../model/payload.js';
import { executionOf, messageOf, verificationOf } from '../records.js';
import type { FeedFilter, FeedKind } from './feed-request.js';

/** A change as the feed tells it: once rendered, for all readers. */
export interface FeedChange {
  readonly position: bigint;
  readonly kind: FeedKind;
  /** `source-dest`. */
  readonly lane: string;
  /** JSON in one line. */
  readonly json: string;
}

/** Null for a change that belongs to no lane: the feed does not tell it. */
export function feedChange(change: Change): FeedChange | null {
  const { kind, position } = change;
  if (kind !== 'message' && kind !== 'verifierResult' && kind !== 'execution') return null;
  const { sourceChainSelector, destChainSelector } =
    kind === 'execution' ? change.record : readLane(change.record.encodedMessage);
  const head = {
    position: String(position),
    kind,
    messageId: change.record.messageId,
    sourceChainSelector: String(sourceChainSelector),
    destChainSelector: String(destChainSelector),
  };
  const json = JSON.stringify({ ...head, ...contentsOf(change) });
  return { position, kind, lane: `${sourceChainSelector}-${destChainSelector}`, json };
}

function contentsOf(change: Change): object {
  switch (change.kind) {
    case 'message':
      return { message: messageOf(change.record) };
    case 'verifierResult':
      return { verification: verificationOf(change.record) };
    case 'execution':
      return { execution: executionOf(change.record) };
    default:
      return {};
  }
}

/** Whether a reader wants a change. */
export function isWanted({ kinds, lanes, share }: FeedFilter, { kind, lane }: FeedChange): boolean {
  return kinds.has(kind) && (lanes?.has(lane) ?? true) && (share?.(lane) ?? true);
}
