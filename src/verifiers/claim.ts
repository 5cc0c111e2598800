import { IndexerError } from '../core/errors.js';
import { type Hex, hexToBytes, isHex } from '../core/hex.js';
import { computeMessageId } from '../protocol/keccak.js';
import { encodeMessage } from '../protocol/message-codec.js';
import { messageFromJson } from '../protocol/message-json.js';
import type { RejectReason } from './verifier-errors.js';

/** A verifier's statement about a message, of any source, before any of it is believed. */
export interface Claim {
  /** keccak256 of `encodedMessage`: recomputed, never taken from the verifier. */
  readonly messageId: Hex;
  readonly encodedMessage: Uint8Array;
  readonly ccvAndExecutorHash: Hex;
  readonly messageCCVAddresses: readonly Hex[];
  readonly messageExecutorAddress: Hex;
  readonly ccvData: Uint8Array;
  /** As it came: not yet known to be whole or sane. */
  readonly attestationMs: number;
  readonly verifierSourceAddress: Hex;
  readonly verifierDestAddress: Hex;
}

/** The reason for which something is no claim, or a claim is not accepted. */
export interface Rejection {
  readonly kind: 'rejected';
  readonly reason: RejectReason;
  /** Null when the message is unreadable. */
  readonly messageId: Hex | null;
  readonly detail: string;
}

/**
 * The claim in one element of a REST verifier's `results`, as `parseExactJson` gave it. Hex of either case becomes
 * lower case; null, `""` and absent byte fields are empty.
 */
export function claimFromJson(value: unknown): { readonly kind: 'claim'; readonly claim: Claim } | Rejection {
  if (!isRecord(value)) return { kind: 'rejected', reason: 'shape', messageId: null, detail: 'result: not an object' };
  const message = readMessage(value['message']);
  if (message.kind === 'rejected') return message;
  const { messageId } = message;
  try {
    const metadata = value['metadata'];
    if (!isRecord(metadata)) throw new ShapeFault('metadata', 'an object');
    return {
      kind: 'claim',
      claim: {
        messageId,
        encodedMessage: message.encodedMessage,
        ccvAndExecutorHash: message.ccvAndExecutorHash,
        messageCCVAddresses: readAddresses(value['message_ccv_addresses']),
        messageExecutorAddress: readHex(value['message_executor_address'], 'message_executor_address'),
        ccvData: hexToBytes(readHex(value['ccv_data'], 'ccv_data')),
        attestationMs: readTimestamp(metadata['timestamp']),
        verifierSourceAddress: readHex(metadata['verifier_source_address'], 'metadata.verifier_source_address'),
        verifierDestAddress: readHex(metadata['verifier_dest_address'], 'metadata.verifier_dest_address'),
      },
    };
  } catch (thrown) {
    if (!(thrown instanceof ShapeFault)) throw thrown;
    return { kind: 'rejected', reason: 'shape', messageId, detail: thrown.message };
  }
}

/** Thrown to `claimFromJson` only. */
class ShapeFault extends IndexerError {
  constructor(path: string, expected: string) {
    super('SHAPE', `${path}: expected ${expected}`, false);
  }
}

function readMessage(value: unknown):
  | {
      readonly kind: 'message';
      readonly messageId: Hex;
      readonly encodedMessage: Uint8Array;
      readonly ccvAndExecutorHash: Hex;
    }
  | Rejection {
  try {
    const message = messageFromJson(value);
    const encodedMessage = encodeMessage(message);
    const { ccvAndExecutorHash } = message;
    return { kind: 'message', messageId: computeMessageId(encodedMessage), encodedMessage, ccvAndExecutorHash };
  } catch (thrown) {
    if (!(thrown instanceof IndexerError)) throw thrown;
    return { kind: 'rejected', reason: 'message', messageId: null, detail: thrown.message };
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readHex(value: unknown, path: string): Hex {
  if (value === undefined || value === null || value === '') return '0x';
  if (!isHex(value)) throw new ShapeFault(path, '0x and an even number of hex digits');
  return value.toLowerCase() as Hex;
}

function readAddresses(value: unknown): readonly Hex[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new ShapeFault('message_ccv_addresses', 'a list');
  return value.map((address, index) => readHex(address, `message_ccv_addresses[${index}]`));
}

function readTimestamp(value: unknown): number {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'number') throw new ShapeFault('metadata.timestamp', 'a number');
  return value;
}
