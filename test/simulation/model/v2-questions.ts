import { expect } from 'vitest';
import { feedChange } from '../../../src/api/v2/feed/feed-changes.js';
import { createFeedReads } from '../../../src/api/v2/feed/feed-reads.js';
import { messagePage } from '../../../src/api/v2/message-pages.js';
import type { MessagesRequest } from '../../../src/api/v2/message-parameters.js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import type { Change } from '../../../src/model/batch.js';
import { type MessageContents, readContents } from '../../../src/model/contents-filter.js';
import type { MessageListQuery } from '../../../src/model/list-query.js';
import type { StoredMessage } from '../../../src/model/records.js';
import { MESSAGE_STATUSES, type MessageStatus } from '../../../src/model/status.js';
import { flatExecutions, flatList } from '../../support/oracle/flat-answers.js';
import { type FlatState, lastingTextOf, textOf } from '../../support/oracle/flat-state.js';
import type { Question } from './ask.js';

/** Which field of some message a list is narrowed by. */
export const CONTENTS = ['none', 'sender', 'receiver', 'token', 'number'] as const;

/** A list of the second version: narrowed by a field of a message as well, of some statuses, in one of both orders. */
export interface V2Wish {
  readonly query: MessageListQuery;
  readonly by: (typeof CONTENTS)[number];
  /** The message whose field it is. */
  readonly of: Uint8Array | undefined;
  readonly order: 'newest' | 'oldest';
  /** Bits of `MESSAGE_STATUSES`. */
  readonly statuses: number;
  readonly limit: number;
}

/** All pages of a list, one after the other. `nowMs`: of the asking. */
export function v2ListQuestion(wish: V2Wish, nowMs: number): Question {
  const statuses = new Set(MESSAGE_STATUSES.filter((_, bit) => (wish.statuses >> bit) & 1));
  const wanted: ReadonlySet<MessageStatus> | null = statuses.size % MESSAGE_STATUSES.length === 0 ? null : statuses;
  const narrowed = narrowedBy(wish);
  const query = { sourceChainSelectors: [], destChainSelectors: [], ...wish.query, ...narrowed };
  const request = { query: query as MessagesRequest['query'], order: wish.order, statuses: wanted, limit: wish.limit };
  return {
    what: `messages of v2 ${textOf({ ...request, statuses: [...(wanted ?? [])] })}`,
    // the unfinished ones have an index of the leader's
    ...(wanted && !wanted.has('success') && { isOfLeader: true }),
    async ask(storage) {
      const found: StoredMessage[] = [];
      let cursor: string | undefined;
      do {
        const page = await messagePage(storage, { ...request, cursor }, nowMs);
        expect(page.messages.length).toBeLessThanOrEqual(wish.limit);
        found.push(...page.messages);
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      return found.map(textOf).join('\n');
    },
    answer(state) {
      const all = flatList(state, 'messages', wish.query) as readonly StoredMessage[];
      const kept = all.filter((message) => (wanted?.has(message.status) ?? true) && passes(message, narrowed));
      return (wish.order === 'newest' ? kept.toReversed() : kept).map(lastingTextOf).join('\n');
    },
  };
}

function narrowedBy({ by, of }: V2Wish): MessageListQuery {
  if (!of) return {};
  const { sender, receiver, token, messageNumber } = readContents(of);
  switch (by) {
    case 'none':
      return {};
    case 'sender':
      return { senders: [bytesToHex(sender), '0x01'] };
    case 'receiver':
      return { receivers: [bytesToHex(receiver)] };
    case 'token':
      return { tokens: [token ? bytesToHex(token) : '0x01'] };
    case 'number':
      return { fromMessageNumber: messageNumber > 3n ? messageNumber - 3n : 0n, throughMessageNumber: messageNumber };
  }
}

function passes({ encodedMessage }: StoredMessage, wanted: MessageListQuery): boolean {
  const contents: MessageContents = readContents(encodedMessage);
  const isAmong = (of: readonly Hex[] | undefined, bytes: Uint8Array | null) =>
    of === undefined || (bytes !== null && of.includes(bytesToHex(bytes)));
  return (
    isAmong(wanted.senders, contents.sender) &&
    isAmong(wanted.receivers, contents.receiver) &&
    isAmong(wanted.tokens, contents.token) &&
    contents.messageNumber >= (wanted.fromMessageNumber ?? 0n) &&
    contents.messageNumber <= (wanted.throughMessageNumber ?? 2n ** 64n)
  );
}

export function executionsQuestion(messageId: Hex): Question {
  return {
    what: `executions of ${messageId}`,
    isOfLeader: true,
    ask: async (storage) => (await storage.getExecutions(messageId)).map(textOf).join('\n'),
    answer: (state) => flatExecutions(state, messageId).map(lastingTextOf).join('\n'),
  };
}

/** Every change of the feed after a position, as it is told, read in sets as its readers do. */
export function feedQuestion(afterPosition: bigint): Question {
  return {
    what: `feed after ${afterPosition}`,
    isOfLeader: true,
    async ask(storage) {
      const reads = createFeedReads(storage);
      try {
        // a record that changed again is told again: the last word counts
        const told = new Map<string, string>();
        for (let after = afterPosition, head = after + 1n; after < head; ) {
          const set = await reads.after(after);
          for (const { json, position } of set.changes) {
            expect(position > after && position <= set.throughPosition).toBe(true);
            const identity = identityIn(json);
            told.delete(identity);
            told.set(identity, json);
          }
          [after, head] = [set.throughPosition, set.headPosition];
        }
        return [...told.values()].join('\n');
      } finally {
        reads.close();
      }
    },
    answer: (state) => feedOf(state, afterPosition).join('\n'),
  };
}

function identityIn(json: string): string {
  const { kind, messageId, verification, execution } = JSON.parse(json);
  const of = verification ? [verification.verifierSourceAddress, verification.verifierDestAddress] : [];
  const at = execution ? [execution.place.blockHash, execution.place.logIndex] : [];
  return [kind, messageId, ...of, ...at].join(' ');
}

function feedOf(state: FlatState, afterPosition: bigint): string[] {
  const all: Change[] = [
    ...[...state.messages.values()].map((record) => ({ kind: 'message' as const, position: record.position, record })),
    ...[...state.results.values()].map((record) => ({
      kind: 'verifierResult' as const,
      position: record.position,
      record,
    })),
    ...[...state.executions.values()].map((record) => ({
      kind: 'execution' as const,
      position: record.position,
      record,
    })),
  ];
  return all
    .filter(({ position }) => position > afterPosition)
    .sort((a, b) => Number(a.position - b.position))
    .flatMap((change) => feedChange(change)?.json ?? []);
}
