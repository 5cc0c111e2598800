import { assertNever } from '../../core/errors.js';
import { nextTurn } from '../../core/event-loop.js';
import type { AsOf } from '../../model/coverage.js';
import type { Count, KeyedPage, Page } from '../../model/list-query.js';
import { encodeCursor } from '../../model/order.js';
import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { CCVDataNotFoundError, MessageNotFoundError } from '../../model/storage-errors.js';
import { hashOfRecord } from '../parity/record-hash.js';

type Listed = StoredMessage | StoredVerifierResult;

/** The operations of a storage that live queries consist of, and the shape of their answers. */
const SHAPES = {
  list: 'page',
  queryMessages: 'page',
  queryCCVData: 'page',
  count: 'count',
  countMessages: 'count',
  countCCVData: 'count',
  getMessage: 'message',
  getCCVData: 'results',
} as const;

export type ShadowedOperation = keyof typeof SHAPES;

/** Whether an operation is a live query. */
export function isShadowed(name: PropertyKey): name is ShadowedOperation {
  return typeof name === 'string' && Object.hasOwn(SHAPES, name);
}

/** An answer to a live query, of whichever storage. That nothing is found is an answer. */
export interface Answer {
  readonly records: readonly Listed[];
  /** All that an answer says besides its records: how many, whether more come, that there is none. */
  readonly rest: string;
  /** The answer stands at this position or above. */
  readonly position: bigint;
  /** Position of the last change that took a record out of lists or moved it; 0 in a lookup, where records stay. */
  readonly movePosition: bigint;
}

/** Makes an answer of what the operation resolved with. */
export function answerOf(operation: ShadowedOperation, value: unknown): Answer {
  const shape = SHAPES[operation];
  switch (shape) {
    case 'page': {
      const { items, asOf, ...more } = value as KeyedPage<Listed> | Page<Listed>;
      const next = 'nextCursor' in more ? more.nextCursor : more.next && encodeCursor(more.next);
      return { records: items, rest: `next ${next}`, ...standing(asOf) };
    }
    case 'count': {
      const { count, asOf } = value as Count;
      return { records: [], rest: `count ${count}`, ...standing(asOf) };
    }
    case 'message':
      return lookupOf([value as StoredMessage]);
    case 'results':
      return lookupOf(value as readonly StoredVerifierResult[]);
    default:
      return assertNever(shape, 'shape of an answer');
  }
}

/** The answer that an error is; null: it is none. */
export function answerOfError(thrown: unknown): Answer | null {
  const isNone = thrown instanceof MessageNotFoundError || thrown instanceof CCVDataNotFoundError;
  return isNone ? { records: [], rest: thrown.code, position: 0n, movePosition: 0n } : null;
}

function lookupOf(records: readonly Listed[]): Answer {
  let position = 0n;
  for (const record of records) if (record.position > position) position = record.position;
  return { records, rest: '', position, movePosition: 0n };
}

function standing({ position, movePosition }: AsOf): Pick<Answer, 'position' | 'movePosition'> {
  return { position, movePosition };
}

/** One record of an answer. */
export interface AnsweredRecord {
  readonly messageId: string;
  /** Null: a message. */
  readonly verifierSourceAddress: string | null;
  readonly verifierDestAddress: string | null;
  readonly position: bigint;
  readonly ingestionMs: number;
  /** sha256 of the record's canonical bytes. */
  readonly hash: string;
}

/** The first place where two answers differ. */
export interface AnswerDifference {
  /** Of the record, from 0; null: all records are the same. */
  readonly index: number | null;
  /** Null: the answer ends before. */
  readonly live: AnsweredRecord | null;
  readonly shadow: AnsweredRecord | null;
  /** All besides the records, on both sides. */
  readonly rest: { readonly live: string; readonly shadow: string };
}

/** Records compared before other work is let through. */
const RECORDS_AT_ONCE = 100;

/** Null: the answers are the same bytes, in the same order. */
export async function firstDifference(live: Answer, shadow: Answer): Promise<AnswerDifference | null> {
  const rest = { live: live.rest, shadow: shadow.rest };
  const length = Math.max(live.records.length, shadow.records.length);
  for (let index = 0; index < length; index += 1) {
    if (index % RECORDS_AT_ONCE === RECORDS_AT_ONCE - 1) await nextTurn();
    const [mine, other] = [hashed(live.records[index]), hashed(shadow.records[index])];
    if (mine?.hash !== other?.hash) return { index, live: mine, shadow: other, rest };
  }
  return rest.live === rest.shadow ? null : { index: null, live: null, shadow: null, rest };
}

function hashed(record: Listed | undefined): AnsweredRecord | null {
  if (!record) return null;
  const isMessage = 'status' in record;
  const { messageId, position, ingestionMs } = record;
  const hash = isMessage ? hashOfMessage(record) : hashOfRecord({ kind: 'verifierResult', position, record });
  return {
    ...{ messageId, position, ingestionMs, hash: hash.toString('hex') },
    verifierSourceAddress: isMessage ? null : record.verifierSourceAddress,
    verifierDestAddress: isMessage ? null : record.verifierDestAddress,
  };
}

/** The origin of an outline can be unknown. */
function hashOfMessage(record: StoredMessage): Buffer {
  const told = record.outline ? { ...record, origin: null } : record;
  return hashOfRecord({ kind: 'message', position: record.position, record: told });
}
