import type { Hex } from '../../core/hex.js';
import { MalformedAnswerError } from './json-rpc-transport.js';
import { MAX_BLOCK, parseHash, parseQuantity, parseSecondsAsMs } from './quantity.js';

/** The fields of a block that the watcher uses. */
export interface BlockHeader {
  readonly number: number;
  readonly hash: Hex;
  readonly parentHash: Hex;
  readonly timestampMs: number;
  /** 256 bytes; null where the node gave none, or no such: it proves nothing. */
  readonly logsBloom: Hex | null;
}

const BLOOM = /^0x[0-9a-fA-F]{512}$/;
const BLOOM_LENGTH = 2 + 512;

/**
 * A block as `eth_getBlockBy…` gives it; null when the node does not know it.
 * @throws MalformedAnswerError that names the field and, where it can be read, the block.
 */
export function parseBlockHeader(result: unknown): BlockHeader | null {
  if (result === null) return null;
  if (typeof result !== 'object') throw new MalformedAnswerError('a block is not an object');
  const block = result as Readonly<Record<string, unknown>>;
  const number = parseQuantity(block['number'], 'number of a block', MAX_BLOCK);
  const timestampMs = parseSecondsAsMs(block['timestamp'], `timestamp of block ${number}`);
  if (timestampMs === 0 && number > 0) throw new MalformedAnswerError(`timestamp of block ${number} is 0`);
  return {
    number,
    hash: parseHash(block['hash'], `hash of block ${number}`),
    parentHash: parseHash(block['parentHash'], `parentHash of block ${number}`),
    timestampMs,
    logsBloom: parseBloom(block['logsBloom']),
  };
}

function parseBloom(value: unknown): Hex | null {
  return typeof value === 'string' && value.length === BLOOM_LENGTH && BLOOM.test(value)
    ? (value.toLowerCase() as Hex)
    : null;
}
