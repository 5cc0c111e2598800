import type { Hex } from '../core/hex.js';

/** The times of a message, unix ms; null: not yet, or not known. */
export interface MessageTimes {
  /** The time of its block, else its first ingestion. */
  readonly sentMs: number | null;
  /** Ingestion of the last result that it needed. */
  readonly verifiedMs: number | null;
  /** The time of the block of its successful execution. */
  readonly executedMs: number | null;
}

/** A message as it is remembered by its number. */
export interface RecentMessage extends MessageTimes {
  readonly sentMs: number;
  /** Ingestion time of the first record of the message. */
  readonly firstMs: number;
}

const CHUNK = 256;
/** Chunks of one OnRamp: 4 096 messages in 160 KB. */
const MAX_CHUNKS = 16;
/** Of a message: its mark, then the fields of `RecentMessage`, NaN for null. A mark is never 0. */
const FIELDS = 5;
/** 52 bits of the id: a number has one message at a time, or two while a reorg is told. */
const MARK_CHARS = 13;

type ChunkText = readonly [number, string];

/**
 * The last messages of an OnRamp by their numbers, for changes that are told of them again and for executions. The
 * chunk that is longest there goes first.
 */
export class RecentMessages {
  readonly #chunks: Map<number, Float64Array>;

  constructor(text: readonly ChunkText[] = []) {
    this.#chunks = new Map(text.map(([key, base64]) => [key, doublesOf(base64)]));
  }

  /** `other`: another message has this number. `forgotten`: whether one has is not known any more, or none has. */
  find(number: bigint, messageId: Hex): RecentMessage | 'other' | 'forgotten' {
    const chunk = this.#chunks.get(keyOf(number));
    const at = placeOf(number);
    const mark = chunk?.[at];
    if (chunk === undefined || mark === undefined || mark === 0) return 'forgotten';
    return mark === markOf(messageId) ? readAt(chunk, at) : 'other';
  }

  put(number: bigint, messageId: Hex, message: RecentMessage): void {
    const key = keyOf(number);
    let chunk = this.#chunks.get(key);
    if (chunk === undefined) {
      const [oldest] = this.#chunks.keys();
      if (this.#chunks.size >= MAX_CHUNKS && oldest !== undefined) this.#chunks.delete(oldest);
      chunk = new Float64Array(CHUNK * FIELDS);
      this.#chunks.set(key, chunk);
    }
    const { sentMs, firstMs, verifiedMs, executedMs } = message;
    const at = placeOf(number);
    chunk[at] = markOf(messageId);
    chunk[at + 1] = sentMs;
    chunk[at + 2] = firstMs;
    chunk[at + 3] = verifiedMs ?? Number.NaN;
    chunk[at + 4] = executedMs ?? Number.NaN;
  }

  remove(number: bigint): void {
    const at = placeOf(number);
    this.#chunks.get(keyOf(number))?.fill(0, at, at + FIELDS);
  }

  /** The earliest first ingestion of the messages in a range; null where one of them is forgotten. */
  earliestIn(from: bigint, through: bigint): number | null {
    if (through - from >= BigInt(CHUNK * MAX_CHUNKS)) return null;
    let earliest: number | null = null;
    for (let number = from; number <= through; number += 1n) {
      const chunk = this.#chunks.get(keyOf(number));
      const at = placeOf(number);
      const firstMs = chunk?.[at + 2];
      if (!chunk?.[at] || firstMs === undefined) return null;
      earliest = Math.min(earliest ?? firstMs, firstMs);
    }
    return earliest;
  }

  toJSON(): ChunkText[] {
    return [...this.#chunks].map(([key, { buffer }]) => [key, Buffer.from(buffer).toString('base64')]);
  }
}

function readAt(chunk: Float64Array, at: number): RecentMessage {
  const read = (field: number) => chunk[at + field] ?? Number.NaN;
  const orNull = (field: number) => (Number.isNaN(read(field)) ? null : read(field));
  return { sentMs: read(1), firstMs: read(2), verifiedMs: orNull(3), executedMs: orNull(4) };
}

/** Exact up to 2^61, beyond every number that a chain gave. */
function keyOf(number: bigint): number {
  return Number(number / BigInt(CHUNK));
}

function placeOf(number: bigint): number {
  return Number(number % BigInt(CHUNK)) * FIELDS;
}

function markOf(messageId: Hex): number {
  return Number.parseInt(messageId.slice(2, 2 + MARK_CHARS), 16) || 1;
}

function doublesOf(base64: string): Float64Array {
  const bytes = Buffer.from(base64, 'base64');
  const doubles = new Float64Array(CHUNK * FIELDS);
  new Uint8Array(doubles.buffer).set(bytes.subarray(0, doubles.byteLength));
  return doubles;
}
