import { InvalidArgumentError } from '../core/errors.js';
import { type Hex, isHex } from '../core/hex.js';

/** The contents of messages that a list can be narrowed to. Addresses are compared as bytes, whole. */
export interface ContentsQuery {
  /** Keep only messages of these senders; empty or absent: all. */
  readonly senders?: readonly Hex[];
  /** Keep only messages to these receivers; empty or absent: all. */
  readonly receivers?: readonly Hex[];
  /** Keep only messages that transfer one of these tokens of the source chain; empty or absent: all. */
  readonly tokens?: readonly Hex[];
  /** Lowest message number. Default 0. */
  readonly fromMessageNumber?: bigint;
  /** Highest message number. Default 2^64 - 1. */
  readonly throughMessageNumber?: bigint;
}

/** A contents query with its defaults; a null filter keeps everything. */
export interface ContentsFilter {
  readonly senders: readonly Hex[] | null;
  readonly receivers: readonly Hex[] | null;
  readonly tokens: readonly Hex[] | null;
  readonly numbers: { readonly from: bigint; readonly through: bigint } | null;
}

/** The parts of a canonical message that lists are narrowed by; views of its bytes. */
export interface MessageContents {
  readonly messageNumber: bigint;
  readonly sender: Uint8Array;
  readonly receiver: Uint8Array;
  /** The token of the source chain; null: no token is transferred. */
  readonly token: Uint8Array | null;
}

const MAX_NUMBER = 2n ** 64n - 1n;
const NUMBER_AT = 17;
const ADDRESSES_AT = 69;
/** Version and amount of a token transfer. */
const TOKEN_HEAD_BYTES = 33;
const NO_BYTES = new Uint8Array(0);

/**
 * Reads the contents from canonical bytes (`src/protocol/README.md`). Bytes that are no message are read as far as they
 * go: a field beyond their end is empty.
 */
export function readContents(encodedMessage: Uint8Array): MessageContents {
  const { length } = encodedMessage;
  const byteAt = (at: number) => encodedMessage[at] ?? 0;
  const part = (at: number, size: number) => (at + size <= length ? encodedMessage.subarray(at, at + size) : NO_BYTES);
  const behind = (at: number) => at + 1 + byteAt(at);
  const senderAt = behind(behind(ADDRESSES_AT));
  const receiverAt = behind(senderAt);
  const blobAt = behind(receiverAt);
  const transferAt = blobAt + 2 + 256 * byteAt(blobAt) + byteAt(blobAt + 1);
  const hasTransfer = byteAt(transferAt) + byteAt(transferAt + 1) > 0;
  const tokenAt = behind(transferAt + 2 + TOKEN_HEAD_BYTES);
  const numberBytes = part(NUMBER_AT, 8);
  return {
    messageNumber:
      numberBytes.length === 0 ? 0n : new DataView(numberBytes.buffer, numberBytes.byteOffset, 8).getBigUint64(0),
    sender: part(senderAt + 1, byteAt(senderAt)),
    receiver: part(receiverAt + 1, byteAt(receiverAt)),
    token: hasTransfer ? part(tokenAt + 1, byteAt(tokenAt)) : null,
  };
}

/**
 * Null: nothing is left out.
 * @throws InvalidArgumentError naming the field, its value and the value to pass instead.
 */
export function resolveContents(query: ContentsQuery): ContentsFilter | null {
  const { fromMessageNumber, throughMessageNumber } = query;
  const filter = {
    senders: addresses('senders', query.senders),
    receivers: addresses('receivers', query.receivers),
    tokens: addresses('tokens', query.tokens),
    numbers:
      fromMessageNumber === undefined && throughMessageNumber === undefined
        ? null
        : {
            from: messageNumber('fromMessageNumber', fromMessageNumber ?? 0n),
            through: messageNumber('throughMessageNumber', throughMessageNumber ?? MAX_NUMBER),
          },
  };
  return Object.values(filter).every((each) => each === null) ? null : filter;
}

/** Whether a message passes the filter. */
export function createContentsTest(filter: ContentsFilter): (encodedMessage: Uint8Array) => boolean {
  const senders = filter.senders && new Set<string>(filter.senders);
  const receivers = filter.receivers && new Set<string>(filter.receivers);
  const tokens = filter.tokens && new Set<string>(filter.tokens);
  const isAmong = (wanted: ReadonlySet<string> | null, found: Uint8Array | null) =>
    wanted === null || (found !== null && wanted.has(toHex(found)));
  return (encodedMessage) => {
    const { messageNumber: number, sender, receiver, token } = readContents(encodedMessage);
    const { numbers } = filter;
    if (numbers !== null && (number < numbers.from || number > numbers.through)) return false;
    return isAmong(senders, sender) && isAmong(receivers, receiver) && isAmong(tokens, token);
  };
}

function toHex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`;
}

function addresses(name: string, values: readonly Hex[] | undefined): readonly Hex[] | null {
  if (values === undefined || values.length === 0) return null;
  for (const value of values)
    if (!isHex(value) || value.length > 2 + 2 * 255)
      throw new InvalidArgumentError(`${name} holds ${value}: pass 0x and up to 255 bytes of hex`);
  return [...new Set(values.map((value) => value.toLowerCase() as Hex))];
}

function messageNumber(name: string, value: bigint): bigint {
  if (typeof value !== 'bigint' || value < 0n || value > MAX_NUMBER)
    throw new InvalidArgumentError(`${name} is ${value}: pass a bigint from 0 to 2^64 - 1`);
  return value;
}
