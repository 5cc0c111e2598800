import type { Change, ChangeSet } from '../batch.js';
import { PositionGapError } from '../errors.js';
import { readLane } from '../payload.js';
import type { AdvanceHub } from './advance-hub.js';
import type { ClockRow } from './clock-row.js';
import type { ClockWriter } from './clock-writer.js';
import { fromSelector } from './columns.js';
import { hashBody } from './message-body.js';
import type { BodyRow, RecordWriter } from './record-writer.js';
import type { StateReader } from './state-reader.js';
import { type TransactionRunner, UnknownOutcomeError } from './transaction-runner.js';

const NONE: ReadonlySet<object> = new Set();
const ATTEMPTS = 3;

/** Takes over what another storage committed. */
export type ChangeApplier = (changes: ChangeSet) => Promise<void>;

/**
 * Applying is idempotent under the clock lock: what is at or below the clock's position is passed over. So an attempt whose outcome is
 * unknown is simply made again.
 */
export function createChangeApplier({
  name,
  runner,
  reader,
  records,
  clockWriter,
  hub,
}: {
  readonly name: string;
  readonly runner: TransactionRunner;
  readonly reader: StateReader;
  readonly records: RecordWriter;
  readonly clockWriter: ClockWriter;
  readonly hub: AdvanceHub;
}): ChangeApplier {
  async function applyOnce(set: ChangeSet): Promise<ClockRow> {
    return await runner.write('apply changes', async (transaction) => {
      const clock = await reader.lock(transaction);
      if (set.afterPosition > clock.lastPosition)
        throw new PositionGapError(name, clock.lastPosition, set.afterPosition);
      if (set.throughPosition <= clock.lastPosition) {
        await transaction.rollback();
        return clock;
      }
      const news = set.changes.filter((change) => change.position > clock.lastPosition);
      const after = clockAfter(clock, set);
      const isBoundary = after.lastPosition === after.headPosition;
      await transaction.commit([
        ...records.bodies(bodiesOf(news)),
        ...records.lanes(lanesOf(news)),
        ...records.changes(news, NONE),
        clockWriter.follow(after, isBoundary),
      ]);
      return after;
    });
  }

  return async (set) => {
    for (let attempt = 1; ; attempt += 1)
      try {
        const clock = await applyOnce(set);
        hub.seen(clock);
        hub.advanced(clock.lastPosition);
        return;
      } catch (thrown) {
        if (!(thrown instanceof UnknownOutcomeError) || attempt >= ATTEMPTS) throw thrown;
      }
  };
}

function clockAfter(clock: ClockRow, set: ChangeSet): ClockRow {
  return {
    ...clock,
    lastMs: Math.max(clock.lastMs, set.headMs),
    lastPosition: set.throughPosition,
    lastMovePosition: max(clock.lastMovePosition, set.headMovePosition),
    // what an earlier set promised is still to come
    headPosition: max(clock.headPosition, set.headPosition),
  };
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
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
