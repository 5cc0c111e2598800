import type { Hex } from '../../../src/core/hex.js';
import type { ProxiedAnswer, ProxiedCall } from './rpc-proxy.js';

/** The hash of a block of the chain that a fake node knows. */
export const fakeHash = (block: number): Hex => `0x${(block + 1).toString(16).padStart(64, '0')}`;

/** A header as JSON-RPC writes it. */
export function fakeHeader(block: number): Readonly<Record<string, unknown>> {
  return {
    number: `0x${block.toString(16)}`,
    hash: fakeHash(block),
    parentHash: fakeHash(block - 1),
    timestamp: `0x${(1_763_000_000 + block).toString(16)}`,
    logsBloom: `0x${'00'.repeat(256)}`,
  };
}

/** Answers as a node does whose chain has blocks without logs up to `head`; two blocks below it are final. */
export function fakeAnswer({ method, params }: ProxiedCall, head: number): ProxiedAnswer {
  switch (method) {
    case 'eth_chainId':
      return { result: '0x539' };
    case 'eth_blockNumber':
      return { result: `0x${head.toString(16)}` };
    case 'eth_getLogs':
      return { result: [] };
    case 'eth_getBlockByNumber': {
      const [tag] = params as [string];
      const block = tag === 'latest' ? head : tag.startsWith('0x') ? Number(tag) : head - 2;
      return { result: block <= head ? fakeHeader(block) : null };
    }
    default:
      return { error: { code: -32601, message: `there is no method ${method}` } };
  }
}
