import { compareExecutions } from './order.js';
import type { StoredExecution, StoredMessage, StoredVerifierResult } from './records.js';

/**
 * The state that a storage has of a message id although it may not be complete for it. Every record of the id whose
 * last change lies in (afterPosition, throughPosition] is in `value`, as it was at `throughPosition`.
 */
export interface Held<T> {
  readonly value: T;
  readonly afterPosition: bigint;
  readonly throughPosition: bigint;
}

export type HeldResults = Held<readonly StoredVerifierResult[]>;
export type HeldMessage = Held<StoredMessage | null>;

/** The records whose logs are in one transaction, orphaned or not. */
export interface TransactionRecords {
  /** Sent in it, by log index. */
  readonly messages: readonly StoredMessage[];
  /** Made in it, by log index. */
  readonly executions: readonly StoredExecution[];
}

export type HeldTransaction = Held<TransactionRecords>;

/** The records of a transaction in their order. */
export function inLogOrder({ messages, executions }: TransactionRecords): TransactionRecords {
  const placeOf = ({ origin }: StoredMessage) => origin?.logIndex ?? 0;
  return {
    messages: [...messages].sort((a, b) => placeOf(a) - placeOf(b) || (a.messageId < b.messageId ? -1 : 1)),
    executions: [...executions].sort((a, b) => a.place.logIndex - b.place.logIndex || compareExecutions(a, b)),
  };
}

/**
 * Unites the states that several storages hold of one id: of each record the latest. Exact, because ranges without a
 * gap include every record's last change, and the storage of that range has it.
 * @returns null unless the ranges reach from 0 to the highest of them, and to `minPosition`, without a gap.
 */
export function unite<T extends { readonly position: bigint }>(
  parts: readonly Held<readonly T[]>[],
  identityOf: (record: T) => string,
  minPosition: bigint,
): readonly T[] | null {
  const through = throughOf(parts);
  // changes in a gap are in none of the parts
  const hasGap = parts.some(({ throughPosition }) => throughPosition > through);
  if (through < 0n || hasGap || through < minPosition) return null;
  const latest = new Map<string, T>();
  for (const { value } of parts)
    for (const record of value) {
      const identity = identityOf(record);
      const known = latest.get(identity);
      if (known === undefined || record.position > known.position) latest.set(identity, record);
    }
  return [...latest.values()];
}

/** How far the ranges reach from 0 without a gap; -1n: not even from there. */
function throughOf(parts: readonly Held<unknown>[]): bigint {
  let through = -1n;
  const inOrder = [...parts].sort((a, b) => (a.afterPosition < b.afterPosition ? -1 : 1));
  for (const part of inOrder) {
    if (part.afterPosition > (through < 0n ? 0n : through)) break;
    if (part.throughPosition > through) through = part.throughPosition;
  }
  return through;
}
