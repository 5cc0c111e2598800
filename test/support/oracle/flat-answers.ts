import type { Hex } from '../../../src/core/hex.js';
import type { ListQuery } from '../../../src/model/list-query.js';
import {
  compareOrderKeys,
  decodeCursor,
  encodeCursor,
  messageOrderKey,
  type OrderKey,
} from '../../../src/model/order.js';
import { readLane } from '../../../src/model/payload.js';
import type { StoredExecution, StoredMessage, StoredVerifierResult } from '../../../src/model/records.js';
import { type FlatState, lastingTextOf } from './flat-state.js';

export type ListName = 'messages' | 'results';

type Listed = StoredMessage | StoredVerifierResult;

/** A list's whole answer: the items in order, and where the next page begins. */
export interface FlatPage {
  readonly items: readonly Listed[];
  readonly nextCursor: string | null;
}

export function keyOf(record: Listed): OrderKey {
  return 'verifierSourceAddress' in record ? record : messageOrderKey(record);
}

/** Everything listed that the range and the filters keep, in order. */
export function flatList(state: FlatState, list: ListName, query: ListQuery): readonly Listed[] {
  const keeps = (wanted: readonly bigint[] | undefined, selector: bigint) =>
    !wanted?.length || wanted.includes(selector);
  return [...state[list].values()]
    .filter((record) => {
      const lane = readLane(record.encodedMessage);
      return (
        !record.orphaned &&
        record.ingestionMs >= (query.startMs ?? 0) &&
        record.ingestionMs <= (query.endMs ?? Number.POSITIVE_INFINITY) &&
        keeps(query.sourceChainSelectors, lane.sourceChainSelector) &&
        keeps(query.destChainSelectors, lane.destChainSelector)
      );
    })
    .sort((a, b) => compareOrderKeys(keyOf(a), keyOf(b)));
}

export function flatPage(state: FlatState, list: ListName, query: ListQuery): FlatPage {
  const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
  const whole = flatList(state, list, query).filter(
    (record) => after === null || compareOrderKeys(keyOf(record), after) > 0,
  );
  const from = query.offset ?? 0;
  const items = whole.slice(from, from + (query.limit ?? 100));
  const last = items.at(-1);
  const isMore = whole.length > from + items.length;
  return { items, nextCursor: isMore && last ? encodeCursor(keyOf(last)) : null };
}

/** All results of an id, in order; null when there is none. */
export function flatResults(state: FlatState, messageId: Hex): readonly StoredVerifierResult[] | null {
  const found = [...state.results.values()].filter((result) => result.messageId === messageId);
  return found.length === 0
    ? null
    : found.sort((a, b) => compareOrderKeys({ ...a, ingestionMs: 0 }, { ...b, ingestionMs: 0 }));
}

/** All executions of a message, in the order of its destination chain. */
export function flatExecutions(state: FlatState, messageId: Hex): readonly StoredExecution[] {
  const keys = [...state.executions.keys()].filter((key) => key.startsWith(messageId)).sort();
  return keys.map((key) => state.executions.get(key)!);
}

/** The messages and executions of a transaction, by log index. */
export function flatTransaction(state: FlatState, transactionHash: Hex) {
  const logIndex = ({ origin }: StoredMessage) => origin?.logIndex ?? 0;
  return {
    messages: [...state.messages.values()]
      .filter(({ origin }) => origin?.transactionHash === transactionHash)
      .sort((a, b) => logIndex(a) - logIndex(b)),
    executions: [...state.executions.values()]
      .filter(({ place }) => place.transactionHash === transactionHash)
      .sort((a, b) => a.place.logIndex - b.place.logIndex),
  };
}

/** What the workers of the indexer ask for: everything that only the leader knows. */
export function flatLedger(
  state: FlatState,
  sourceChainSelector: bigint,
  afterBlock: bigint,
  destChainSelector: bigint,
) {
  const messages = [...state.messages.values()].filter((message) => !message.orphaned);
  const inBlocks = (a: StoredMessage, b: StoredMessage) =>
    Number((a.origin?.blockNumber ?? 0n) - (b.origin?.blockNumber ?? 0n)) ||
    (a.origin?.logIndex ?? 0) - (b.origin?.logIndex ?? 0) ||
    (a.messageId < b.messageId ? -1 : 1);
  const byPosition = (a: { position: bigint }, b: { position: bigint }) => Number(a.position - b.position);
  return {
    unfinished: messages
      .filter(({ status }) => status !== 'success')
      .sort((a, b) => compareOrderKeys(keyOf(a), keyOf(b))),
    aboveBlock: messages
      .filter(
        ({ origin, encodedMessage }) =>
          origin !== null &&
          origin.blockNumber > afterBlock &&
          readLane(encodedMessage).sourceChainSelector === sourceChainSelector,
      )
      .sort(inBlocks),
    executionsAbove: [...state.executions.values()]
      .filter(
        ({ orphaned, place, destChainSelector: dest }) =>
          !orphaned && place.blockNumber > afterBlock && dest === destChainSelector,
      )
      .sort(
        (a, b) =>
          Number(a.place.blockNumber - b.place.blockNumber) ||
          a.place.logIndex - b.place.logIndex ||
          (a.messageId < b.messageId ? -1 : 1),
      ),
    cursors: [...state.cursors.values()]
      .map(({ sourceId, height, hash }) => ({ sourceId, height, hash }))
      .sort((a, b) => (a.sourceId < b.sourceId ? -1 : 1)),
    quarantine: [...state.quarantine.values()].sort(byPosition),
    conflicts: [...state.conflicts.values()].sort(byPosition),
  };
}

/** The last change of every record after a position, each as a text, in position order. */
export function flatChangesAfter(state: FlatState, position: bigint): readonly string[] {
  const all = [
    ...[...state.messages.values()].map((record) => ({ kind: 'message', record })),
    ...[...state.results.values()].map((record) => ({ kind: 'verifierResult', record })),
    ...[...state.executions.values()].map((record) => ({ kind: 'execution', record })),
    ...[...state.cursors.values()].map((record) => ({ kind: 'cursor', record })),
    ...[...state.quarantine.values()].map((record) => ({ kind: 'quarantine', record })),
    ...[...state.conflicts.values()].map((record) => ({ kind: 'conflict', record })),
  ];
  return all
    .filter(({ record }) => record.position > position)
    .sort((a, b) => Number(a.record.position - b.record.position))
    .map(({ kind, record }) => `${kind} ${lastingTextOf(record)}`);
}
