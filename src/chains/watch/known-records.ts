import type { WriteBatch } from '../../model/batch.js';
import { executionIdentity, logIdentity, logOf } from '../../model/identity.js';
import type { Execution, MessageOrigin, NewMessage } from '../../model/records.js';
import type { UnfinalizedExecution, UnfinalizedMessage } from '../chain-port.js';
import type { HeaderChain } from './header-chain.js';
import type { GoneRecord } from './vanished-records.js';

/** Blocks from the first to the last. */
export interface BlockRange {
  readonly from: number;
  readonly to: number;
}

/** The records of logs. */
export interface FoundRecords {
  readonly messages: readonly NewMessage<MessageOrigin>[];
  readonly executions: readonly Execution[];
}

/**
 * The messages and executions above the anchor as the store has them, so that each read is stored as the difference to
 * it. A message may move to another block; an execution is its log, and one in another block is another.
 */
export class KnownRecords {
  /** By message id, or by log for executions. */
  #places = new Map<string, GoneRecord>();
  /** Not found where they are stored, though they may have moved to blocks that are not read yet. */
  readonly #missing = new Map<string, GoneRecord>();

  /**
   * Takes the store's word for the records above block `above`.
   * @returns the lowest block of a record that was taken to be stored there and is not; null when there is none.
   */
  load(records: readonly (UnfinalizedMessage | UnfinalizedExecution)[], above: number): number | null {
    const before = this.#places;
    this.#places = new Map(
      records.map((record) => {
        const { messageId, blockHash } = record;
        const logIndex = 'logIndex' in record ? record.logIndex : null;
        const place = { messageId, blockNumber: Number(record.blockNumber), blockHash, logIndex };
        return [keyOf(place), place];
      }),
    );
    let lowest: number | null = null;
    for (const [key, { blockNumber, blockHash }] of before)
      if (blockNumber > above && this.#places.get(key)?.blockHash !== blockHash)
        lowest = Math.min(lowest ?? blockNumber, blockNumber);
    return lowest;
  }

  /** The highest block that a stored record is from; -1 without one. */
  get highestBlock(): number {
    let highest = -1;
    for (const { blockNumber } of this.#places.values()) highest = Math.max(highest, blockNumber);
    return highest;
  }

  /**
   * The records of `found` that the store lacks: new ones, and messages that moved to another block. Of two logs of one
   * message the first counts.
   */
  toStore(found: FoundRecords, headers?: Pick<HeaderChain, 'isOnChain'>): FoundRecords {
    const first = firstOfEach(found.messages, ({ messageId }) => messageId);
    const executions = firstOfEach(found.executions, executionIdentity);
    const places = [...first.map(placeOfMessage), ...executions.map(placeOfExecution)];
    for (const place of places) {
      const key = keyOf(place);
      if (this.#missing.get(key)?.blockHash === place.blockHash) this.#missing.delete(key);
    }
    const messages = first.filter(({ messageId, origin }) => {
      const place = this.#places.get(messageId);
      if (!place) return true;
      const isFirst = place.blockNumber < Number(origin.blockNumber);
      return (
        place.blockHash !== origin.blockHash && !(isFirst && headers?.isOnChain(place.blockNumber, place.blockHash))
      );
    });
    return { messages, executions: executions.filter((execution) => !this.#places.has(executionIdentity(execution))) };
  }

  /**
   * The records that are stored from the blocks of `ranges`, or from a block that is off the chain, and are not
   * among all `found` there.
   */
  gone(
    found: FoundRecords,
    ranges: readonly BlockRange[],
    headers?: Pick<HeaderChain, 'isOffChain'>,
  ): readonly GoneRecord[] {
    if (this.#places.size === 0) return [];
    const keys = keysOf(found);
    const isRead = (block: number) => ranges.some(({ from, to }) => block >= from && block <= to);
    return [...this.#places]
      .filter(
        ([key, { blockNumber, blockHash }]) =>
          (isRead(blockNumber) || headers?.isOffChain(blockNumber, blockHash)) && !keys.has(key),
      )
      .map(([, place]) => place);
  }

  /**
   * Notes records that were not found and may yet be. Found again where they were, or stored from elsewhere, they
   * are forgotten.
   */
  miss(gone: readonly GoneRecord[]): void {
    for (const each of gone) this.#missing.set(keyOf(each), each);
  }

  /** Through here nothing is missing: the cursor must not pass a record that may have to be orphaned. */
  get missingAbove(): number {
    return Math.min(...[...this.#missing.values()].map(({ blockNumber }) => blockNumber)) - 1;
  }

  /** The records that are missing beside `found`, once all blocks are read that they may have moved to. */
  stillMissing(found: FoundRecords, headers: Pick<HeaderChain, 'isOnChain'>): readonly GoneRecord[] {
    const keys = keysOf(found);
    return [...this.#missing]
      .filter(([key, { blockNumber, blockHash }]) => !keys.has(key) && !headers.isOnChain(blockNumber, blockHash))
      .map(([, place]) => place);
  }

  /** `batch` is stored, and blocks through `finalThrough` are final. */
  apply(batch: WriteBatch, finalThrough: number): void {
    const { messages = [], orphanings = [], executions = [], executionOrphanings = [] } = batch;
    for (const key of [...orphanings.map(({ messageId }) => messageId), ...executionOrphanings.map(logIdentity)]) {
      this.#missing.delete(key);
      this.#places.delete(key);
    }
    for (const { messageId, origin } of messages)
      if (origin) this.#stored(placeOfMessage({ messageId, origin }), finalThrough);
    for (const execution of executions) this.#stored(placeOfExecution(execution), finalThrough);
    for (const [key, { blockNumber }] of this.#places) if (blockNumber <= finalThrough) this.#places.delete(key);
  }

  #stored(place: GoneRecord, finalThrough: number): void {
    const key = keyOf(place);
    this.#missing.delete(key);
    if (place.blockNumber > finalThrough) this.#places.set(key, place);
    else this.#places.delete(key);
  }
}

function placeOfMessage({ messageId, origin }: Pick<NewMessage<MessageOrigin>, 'messageId' | 'origin'>): GoneRecord {
  return { messageId, blockNumber: Number(origin.blockNumber), blockHash: origin.blockHash, logIndex: null };
}

function placeOfExecution(execution: Execution): GoneRecord {
  return { ...logOf(execution), blockNumber: Number(execution.place.blockNumber) };
}

function keyOf({ messageId, blockHash, logIndex }: Omit<GoneRecord, 'blockNumber'>): string {
  return logIndex === null ? messageId : logIdentity({ messageId, blockHash, logIndex });
}

function keysOf({ messages, executions }: FoundRecords): ReadonlySet<string> {
  return new Set<string>([
    ...messages.map(({ messageId }) => messageId as string),
    ...executions.map(executionIdentity),
  ]);
}

function firstOfEach<T>(found: readonly T[], key: (item: T) => string): readonly T[] {
  const first = new Map<string, T>();
  for (const item of found) if (!first.has(key(item))) first.set(key(item), item);
  return [...first.values()];
}
