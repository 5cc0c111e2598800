import type { Hex } from '../../../../src/core/hex.js';
import type { WriteBatch } from '../../../../src/model/batch.js';
import type { ListQuery } from '../../../../src/model/list-query.js';
import { readLane } from '../../../../src/model/payload.js';
import type { MessageOrigin, MessageStatus, NewMessage } from '../../../../src/model/records.js';
import type { Lane } from '../../../../src/protocol/message.js';

/** A record with its stamp, flat. */
export interface FlatRecord {
  readonly kind: 'message' | 'verifierResult';
  readonly messageId: Hex;
  readonly verifierSourceAddress: Hex;
  readonly verifierDestAddress: Hex;
  readonly lane: Lane;
  readonly origin: MessageOrigin | null;
  readonly status: MessageStatus | null;
  readonly ingestionMs: number;
  readonly firstMs: number;
  readonly position: bigint;
  readonly orphaned: boolean;
}

const RANK = { processing: 0, timeout: 1, success: 2 };

/** Everything about a record that can change, as a text that sorts in list order. */
export function stateOf(
  record: Pick<FlatRecord, 'messageId' | 'ingestionMs' | 'firstMs' | 'position' | 'orphaned'> & Partial<FlatRecord>,
): string {
  const { verifierSourceAddress = '0x', verifierDestAddress = '0x', origin, status } = record;
  const place = `${String(record.ingestionMs).padStart(16, '0')} ${record.messageId} ${verifierSourceAddress} ${verifierDestAddress}`;
  const { position, firstMs, orphaned } = record;
  return `${place} ${position} ${firstMs} ${orphaned} ${status ?? ''} ${origin?.blockNumber ?? ''}/${origin?.logIndex ?? ''}`;
}

/** What a storage should hold: one array of records, walked for every question. Knows of no conflicts. */
export class FlatModel {
  records: readonly FlatRecord[] = [];
  position = 0n;
  readonly #history: { readonly position: bigint; readonly records: readonly FlatRecord[] }[] = [];

  commit(batch: WriteBatch, ingestionMs: number): void {
    const before = this.records;
    this.#history.push({ position: this.position, records: before });
    const next = new Map(before.map((record) => [keyOf(record), record]));
    const about = (messageId: Hex) => [...next.values()].filter((record) => record.messageId === messageId);
    const change = (record: FlatRecord, fields: Partial<FlatRecord>) =>
      next.set(keyOf(record), { ...record, ...fields });
    const add = (record: Omit<FlatRecord, 'ingestionMs' | 'firstMs' | 'position'>) => {
      const firstMs = about(record.messageId)[0]?.firstMs ?? ingestionMs;
      if (!next.has(keyOf(record))) next.set(keyOf(record), { ...record, ingestionMs, firstMs, position: 0n });
    };
    for (const { messageId, blockHash } of batch.orphanings ?? []) {
      const message = next.get(messageKey(messageId));
      if (message?.origin?.blockHash === blockHash && !message.orphaned)
        for (const record of about(messageId)) change(record, { orphaned: true });
    }
    for (const given of batch.messages ?? []) {
      const message = next.get(messageKey(given.messageId));
      if (!message)
        add({ ...flat(given), kind: 'message', origin: given.origin, status: 'processing', orphaned: false });
      else {
        if (given.origin && given.origin.blockHash !== message.origin?.blockHash)
          change(message, { origin: given.origin });
        if (message.orphaned)
          for (const record of about(given.messageId)) change(record, { orphaned: false, ingestionMs });
      }
    }
    for (const given of batch.verifierResults ?? []) {
      const orphaned = next.get(messageKey(given.messageId))?.orphaned ?? false;
      const { verifierSourceAddress, verifierDestAddress } = given;
      const identity = { ...flat(given), verifierSourceAddress, verifierDestAddress };
      add({ ...identity, kind: 'verifierResult', origin: null, status: null, orphaned });
    }
    for (const { messageId, status } of batch.statuses ?? []) {
      const message = next.get(messageKey(messageId));
      if (message?.status && RANK[status] > RANK[message.status]) change(message, { status });
    }
    this.records = this.#stamp(before, [...next.values()]);
  }

  /** The model as it was when a storage stood at `position`, which is the end of a commit. */
  at(position: bigint): FlatModel {
    if (position === this.position) return this;
    const past = new FlatModel();
    past.position = position;
    past.records = this.#history.find((moment) => moment.position === position)?.records ?? [];
    return past;
  }

  list(kind: FlatRecord['kind'], query: ListQuery): string[] {
    const keeps = (wanted: readonly bigint[] | undefined, selector: bigint) =>
      !wanted?.length || wanted.includes(selector);
    return this.records
      .filter((record) => {
        const { lane } = record;
        return (
          record.kind === kind &&
          !record.orphaned &&
          record.ingestionMs >= (query.startMs ?? 0) &&
          record.ingestionMs <= (query.endMs ?? Number.POSITIVE_INFINITY) &&
          keeps(query.sourceChainSelectors, lane.sourceChainSelector) &&
          keeps(query.destChainSelectors, lane.destChainSelector)
        );
      })
      .map(stateOf)
      .sort();
  }

  /** The message, if any, and then its results in order. */
  byId(messageId: Hex): FlatRecord[] {
    return this.records
      .filter((record) => record.messageId === messageId)
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  unfinished(): string[] {
    return this.records
      .filter((record) => record.kind === 'message' && !record.orphaned && record.status !== 'success')
      .map(stateOf)
      .sort();
  }

  aboveBlock(sourceChainSelector: bigint, block: bigint): string[] {
    const place = ({ origin, messageId }: FlatRecord) =>
      `${String(origin?.blockNumber).padStart(20, '0')} ${String(origin?.logIndex).padStart(20, '0')} ${messageId}`;
    return this.records
      .filter(
        (record) =>
          !record.orphaned &&
          record.origin !== null &&
          record.origin.blockNumber > block &&
          record.lane.sourceChainSelector === sourceChainSelector,
      )
      .sort((a, b) => (place(a) < place(b) ? -1 : 1))
      .map(stateOf);
  }

  changesAfter(position: bigint): string[] {
    return this.records
      .filter((record) => record.position > position)
      .sort((a, b) => Number(a.position - b.position))
      .map(stateOf);
  }

  /** Gives what differs from before the next positions: messages by id, then results by identity. */
  #stamp(before: readonly FlatRecord[], after: readonly FlatRecord[]): FlatRecord[] {
    const old = new Map(before.map((record) => [keyOf(record), record]));
    const changed = new Map<FlatRecord, FlatRecord>();
    const touched = after.filter((record) => old.get(keyOf(record)) !== record);
    const placeOf = (record: FlatRecord) => `${record.kind} ${keyOf(record)}`;
    for (const record of touched.sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1))) {
      const was = old.get(keyOf(record));
      if (was && stateOf(was) === stateOf(record)) continue;
      this.position += 1n;
      changed.set(record, { ...record, position: this.position });
    }
    return after.map((record) => changed.get(record) ?? record);
  }
}

/** Sorts by message id, the message before its results, those by their addresses. */
function keyOf(
  record: Pick<FlatRecord, 'kind' | 'messageId' | 'verifierSourceAddress' | 'verifierDestAddress'>,
): string {
  return record.kind === 'message'
    ? messageKey(record.messageId)
    : `${record.messageId} 1 ${record.verifierSourceAddress} ${record.verifierDestAddress}`;
}

function messageKey(messageId: Hex): string {
  return `${messageId} 0`;
}

function flat(given: Omit<NewMessage, 'origin'>) {
  const { messageId, encodedMessage } = given;
  return { messageId, lane: readLane(encodedMessage), verifierSourceAddress: '0x', verifierDestAddress: '0x' } as const;
}
