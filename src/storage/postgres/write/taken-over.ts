import type { Change } from '../../../model/batch.js';
import { readLane } from '../../../model/payload.js';
import type { Call, CopyCall } from '../connection/transaction.js';
import { fromSelector } from '../rows/columns.js';
import { hashBody } from '../rows/message-body.js';
import type { BodyRow } from './record-values.js';
import type { RecordWriter } from './record-writer.js';

const NONE: ReadonlySet<object> = new Set();

/**
 * Writes the records of changes that were made elsewhere, and then `after`. A row of a later position stays. Calls are
 * made as they are sent. Changes of now and of a backfill are taken over one after the other: each counts by the rows
 * that it finds.
 */
export function* takenOver(
  records: RecordWriter,
  changes: readonly Change[],
  after: Iterable<Call>,
): Generator<Call | CopyCall, void, void> {
  yield records.oneAtATime;
  yield* records.bodies(bodiesOf(changes));
  yield* records.lanes(lanesOf(changes));
  yield* records.changes(changes, NONE);
  yield* after;
}

function bodiesOf(changes: readonly Change[]): BodyRow[] {
  const bodies = new Map<string, BodyRow>();
  for (const { kind, record } of changes)
    if ((kind === 'message' || kind === 'verifierResult') && !bodies.has(record.messageId))
      bodies.set(record.messageId, {
        messageId: record.messageId,
        firstMs: record.firstMs,
        hash: hashBody(record),
        content: record,
      });
  return [...bodies.values()];
}

function lanesOf(changes: readonly Change[]): Iterable<readonly [bigint, bigint]> {
  const lanes = new Map<string, readonly [bigint, bigint]>();
  for (const { kind, record } of changes) {
    if (kind !== 'message' && kind !== 'verifierResult') continue;
    const { sourceChainSelector, destChainSelector } = readLane(record.encodedMessage);
    lanes.set(`${sourceChainSelector} ${destChainSelector}`, [
      fromSelector(sourceChainSelector),
      fromSelector(destChainSelector),
    ]);
  }
  return lanes.values();
}
