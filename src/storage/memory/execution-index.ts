import type { Hex } from '../../core/hex.js';
import type { ExecutionOrphaning } from '../../model/batch.js';
import { executionIdentity, logIdentity } from '../../model/identity.js';
import { comparePlaces } from '../../model/order.js';
import type { StoredExecution } from '../../model/records.js';
import { SortedList } from './sorted-list.js';

interface TimeKey {
  readonly ingestionMs: number;
  readonly identity: string;
}

interface PlaceKey {
  readonly blockNumber: bigint;
  readonly logIndex: number;
  readonly identity: string;
}

/** Executions by their log, by message, by block of their chain (orphaned ones left out), and by ingestion time. */
export class ExecutionIndex {
  readonly #byLog = new Map<string, StoredExecution>();
  readonly #byMessage = new Map<Hex, readonly StoredExecution[]>();
  readonly #byChain = new Map<bigint, SortedList<StoredExecution, PlaceKey>>();
  readonly #byTime = new SortedList<StoredExecution, TimeKey>(compareTime, timeKeyOf);

  get size(): number {
    return this.#byLog.size;
  }

  find(log: ExecutionOrphaning): StoredExecution | undefined {
    return this.#byLog.get(logIdentity(log));
  }

  /** Those of one message, in the order of its destination chain. */
  of(messageId: Hex): readonly StoredExecution[] {
    return this.#byMessage.get(messageId) ?? [];
  }

  /** Those of one transaction, found by a walk over all. */
  inTransaction(transactionHash: Hex): readonly StoredExecution[] {
    return [...this.#byLog.values()].filter(({ place }) => place.transactionHash === transactionHash);
  }

  /** Those of a chain in blocks above `afterBlock`, up to `throughBlock`, by block and log index. */
  above(chainSelector: bigint, afterBlock: bigint, throughBlock: bigint | undefined): readonly StoredExecution[] {
    const list = this.#byChain.get(chainSelector);
    if (!list) return [];
    const before = (block: bigint) => list.lowerBound({ blockNumber: block + 1n, logIndex: -1, identity: '' });
    return list.slice(before(afterBlock), throughBlock === undefined ? list.length : before(throughBlock));
  }

  /** Takes in an execution in place of its state before. */
  change(old: StoredExecution | undefined, execution: StoredExecution): void {
    if (old) this.#remove(old);
    this.#byLog.set(executionIdentity(execution), execution);
    this.#byTime.add(execution);
    const { messageId, destChainSelector } = execution;
    this.#byMessage.set(messageId, [...this.of(messageId), execution].sort(comparePlaces));
    if (execution.orphaned) return;
    let list = this.#byChain.get(destChainSelector);
    if (!list) {
      list = new SortedList(comparePlace, placeKeyOf);
      this.#byChain.set(destChainSelector, list);
    }
    list.add(execution);
  }

  oldestMs(): number | undefined {
    return this.#byTime.at(0)?.ingestionMs;
  }

  countThrough(ms: number): number {
    return this.#byTime.lowerBound({ ingestionMs: ms + 1, identity: '' });
  }

  through(ms: number): readonly StoredExecution[] {
    return this.#byTime.slice(0, this.countThrough(ms));
  }

  dropThrough(ms: number): void {
    for (const execution of this.through(ms)) this.#remove(execution);
  }

  #remove(execution: StoredExecution): void {
    const { messageId, destChainSelector } = execution;
    this.#byLog.delete(executionIdentity(execution));
    this.#byTime.delete(execution);
    if (!execution.orphaned) this.#byChain.get(destChainSelector)?.delete(execution);
    const others = this.of(messageId).filter((each) => each !== execution);
    if (others.length > 0) this.#byMessage.set(messageId, others);
    else this.#byMessage.delete(messageId);
  }
}

function timeKeyOf(execution: StoredExecution): TimeKey {
  return { ingestionMs: execution.ingestionMs, identity: executionIdentity(execution) };
}

function compareTime(execution: StoredExecution, key: TimeKey): number {
  return execution.ingestionMs - key.ingestionMs || compareText(executionIdentity(execution), key.identity);
}

function placeKeyOf(execution: StoredExecution): PlaceKey {
  const { blockNumber, logIndex } = execution.place;
  return { blockNumber, logIndex, identity: executionIdentity(execution) };
}

function comparePlace(execution: StoredExecution, key: PlaceKey): number {
  const { blockNumber, logIndex } = execution.place;
  if (blockNumber !== key.blockNumber) return blockNumber < key.blockNumber ? -1 : 1;
  return logIndex - key.logIndex || compareText(executionIdentity(execution), key.identity);
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
