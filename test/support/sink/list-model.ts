import type { Hex } from '../../../src/core/hex.js';
import type { WriteBatch, WriteOutcome } from '../../../src/model/batch.js';
import type { ListQuery } from '../../../src/model/list-query.js';
import { readLane } from '../../../src/model/payload.js';

const RANK = ['processing', 'timeout', 'success'];

/** One listed record as the model knows it. */
export interface ModelRecord {
  ingestionMs: number;
  orphaned: boolean;
  status: string;
  readonly messageId: Hex;
  readonly source: Hex;
  readonly dest: Hex;
  readonly encodedMessage: Uint8Array;
}

/** The truth, flat: told of every acknowledged batch, it says what any list must hold. Knows no tiers and no indexes. */
export class ListModel {
  readonly messages: ModelRecord[] = [];
  readonly results: ModelRecord[] = [];

  /** Takes in what an acknowledged batch did. */
  wrote(batch: WriteBatch, outcome: WriteOutcome): void {
    const ingestionMs = outcome.committed?.ingestionMs ?? -1;
    for (const { messageId } of batch.orphanings ?? []) this.#each(messageId, (record) => (record.orphaned = true));
    batch.messages?.forEach((message, i) => {
      const became = outcome.messages[i];
      if (became === 'inserted')
        this.messages.push({
          ...message,
          source: '0x',
          dest: '0x',
          ingestionMs,
          orphaned: false,
          status: 'processing',
        });
      if (became === 'returned')
        this.#each(message.messageId, (record) => Object.assign(record, { ingestionMs, orphaned: false }));
    });
    for (const { messageId, status } of batch.statuses ?? [])
      for (const message of this.messages)
        if (message.messageId === messageId && RANK.indexOf(status) > RANK.indexOf(message.status))
          message.status = status;
    batch.verifierResults?.forEach((result, i) => {
      if (outcome.verifierResults[i] !== 'inserted') return;
      const orphaned = this.messages.some((message) => message.messageId === result.messageId && message.orphaned);
      const { verifierSourceAddress: source, verifierDestAddress: dest } = result;
      this.results.push({ ...result, source, dest, ingestionMs, orphaned, status: '' });
    });
  }

  /** The places of everything that matches, in order; limit and offset are left to the caller. */
  list(kind: 'messages' | 'results', query: ListQuery): string[] {
    const keeps = (wanted: readonly bigint[] | undefined, selector: bigint) =>
      !wanted?.length || wanted.includes(selector);
    return this[kind]
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
      .map((record) => placeOf(record.ingestionMs, record.messageId, record.source, record.dest, record.status))
      .sort();
  }

  /** The addresses of all results of one id. */
  resultsOf(messageId: Hex): string[] {
    return this.results
      .filter((record) => record.messageId === messageId)
      .map(({ source, dest }) => `${source} ${dest}`)
      .sort();
  }

  #each(messageId: Hex, change: (record: ModelRecord) => void): void {
    for (const record of [...this.messages, ...this.results]) if (record.messageId === messageId) change(record);
  }
}

/** A record's place in the one order, as a text that sorts like it, and a message's status. */
export function placeOf(
  ingestionMs: number,
  messageId: Hex,
  source: Hex = '0x',
  dest: Hex = '0x',
  status = '',
): string {
  return `${String(ingestionMs).padStart(16, '0')} ${messageId} ${source} ${dest} ${status}`;
}
