import type { Hex } from '../core/hex.js';
import { MalformedAnswerError } from './json-rpc-transport.js';
import { parseHash, parseHex, parseQuantity } from './quantity.js';

/** What the watcher needs of a block. */
export interface BlockHeader {
  readonly number: number;
  readonly hash: Hex;
  readonly parentHash: Hex;
  readonly timestampMs: number;
  /** 256 bytes. */
  readonly logsBloom: Hex;
}

const BLOOM_HEX_LENGTH = 2 + 512;

/**
 * A block as `eth_getBlockBy…` gives it; null when the node does not know it.
 * @throws MalformedAnswerError
 */
export function parseBlockHeader(result: unknown): BlockHeader | null {
  if (result === null) return null;
  if (typeof result !== 'object') throw new MalformedAnswerError('a block is not an object');
  const block = result as Readonly<Record<string, unknown>>;
  const logsBloom = parseHex(block['logsBloom'], 'logsBloom');
  if (logsBloom.length !== BLOOM_HEX_LENGTH) throw new MalformedAnswerError('logsBloom is not 256 bytes');
  return {
    number: parseQuantity(block['number'], 'number'),
    hash: parseHash(block['hash'], 'hash'),
    parentHash: parseHash(block['parentHash'], 'parentHash'),
    timestampMs: parseQuantity(block['timestamp'], 'timestamp') * 1000,
    logsBloom,
  };
}
