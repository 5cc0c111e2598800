import type { Hex } from '../../../src/core/hex.js';
import type {
  Conflict,
  Execution,
  NewMessage,
  StoredConflict,
  StoredExecution,
  StoredMessage,
  StoredQuarantineEntry,
  StoredSourceCursor,
  StoredVerifierResult,
  VerifierResult,
} from '../../../src/model/records.js';

/** The part of a message that it shares with its verifier results. */
export type Body = Omit<NewMessage, 'origin'>;

/** Everything there is after one commit. Nothing in it ever changes. */
export interface FlatState {
  readonly position: bigint;
  readonly headMs: number;
  readonly messages: ReadonlyMap<Hex, StoredMessage>;
  readonly results: ReadonlyMap<string, StoredVerifierResult>;
  /** Of every id the bytes that came first, and when. */
  readonly bodies: ReadonlyMap<Hex, { readonly body: Body; readonly firstMs: number }>;
  readonly executions: ReadonlyMap<string, StoredExecution>;
  readonly cursors: ReadonlyMap<string, StoredSourceCursor>;
  readonly quarantine: ReadonlyMap<string, StoredQuarantineEntry>;
  readonly conflicts: ReadonlyMap<string, StoredConflict>;
}

export const EMPTY_STATE: FlatState = {
  position: 0n,
  headMs: -1,
  messages: new Map(),
  results: new Map(),
  bodies: new Map(),
  executions: new Map(),
  cursors: new Map(),
  quarantine: new Map(),
  conflicts: new Map(),
};

export function resultKey(result: {
  readonly messageId: Hex;
  readonly verifierSourceAddress: Hex;
  readonly verifierDestAddress: Hex;
}): string {
  return `${result.messageId} ${result.verifierSourceAddress} ${result.verifierDestAddress}`;
}

/** Of one message, in the order in which a commit gives positions. */
export function executionKey({ messageId, place }: Pick<Execution, 'messageId' | 'place'>): string {
  const number = (value: bigint | number) => String(value).padStart(20, '0');
  return `${messageId} ${number(place.blockNumber)} ${number(place.logIndex)} ${place.blockHash}`;
}

export function conflictKey(conflict: Conflict): string {
  return `${conflict.record} ${resultKey(conflict)} ${conflict.receivedHash}`;
}

export function bodyOf(record: NewMessage | VerifierResult): Body {
  const { messageId, encodedMessage, messageCCVAddresses, messageExecutorAddress } = record;
  return { messageId, encodedMessage, messageCCVAddresses, messageExecutorAddress };
}

const texts = new WeakMap<object, string>();

/** A value as one text, every field and byte of it: equal texts are equal answers. */
export function textOf(value: unknown): string {
  return JSON.stringify(plain(value)) ?? 'undefined';
}

/** `textOf` something that never changes, as nothing in a `FlatState` does: made once. */
export function lastingTextOf(value: object): string {
  let text = texts.get(value);
  if (text === undefined) {
    text = textOf(value);
    texts.set(value, text);
  }
  return text;
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Uint8Array)
    return `bytes:${Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  const fields = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.keys(fields)
      .sort()
      .map((key) => [key, plain(fields[key])]),
  );
}
