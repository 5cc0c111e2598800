import type { ServerResponse } from 'node:http';
import { type CallFault, type ProxiedCall, type RpcProxy, startRpcProxy } from '../../test/support/chain/rpc-proxy.js';

/** Faults of the lying node. */
export type Lie = 'left logs out' | 'head of 2^51' | '60 MiB of zeros' | 'block time of 0' | 'two logs at one index';

/** A node that lies now and then, in front of one that does not. */
export interface LyingNode {
  readonly url: string;
  readonly lies: ReadonlyMap<Lie, number>;
  close(): Promise<void>;
}

const ZEROS = `[${'0,'.repeat(30 * 1024 * 1024)}0]`;

/** Starts a node that lies in about a third of its answers. */
export async function startLyingNode(target: string, random: () => number): Promise<LyingNode> {
  const proxy: RpcProxy = await startRpcProxy(target);
  const lies = new Map<Lie, number>();
  const lie = (kind: Lie) => lies.set(kind, (lies.get(kind) ?? 0) + 1);

  proxy.onRequest = (calls: readonly ProxiedCall[], response: ServerResponse) => {
    if (calls.length < 2 || random() > 0.02) return false;
    lie('60 MiB of zeros');
    response.setHeader('content-type', 'application/json');
    response.end(ZEROS);
    return true;
  };
  const fault: CallFault = async (call, forward) => {
    const answer = await forward();
    if ('error' in answer || answer.result === null) return answer;
    const chance = random();
    if (call.method === 'eth_getLogs' && Array.isArray(answer.result) && answer.result.length > 0) {
      if (chance < 0.3) {
        lie('left logs out');
        return { result: answer.result.slice(1) };
      }
      if (chance < 0.35) {
        lie('two logs at one index');
        const [first] = answer.result as Record<string, unknown>[];
        return { result: [...answer.result, { ...first, transactionHash: `0x${'7'.repeat(64)}` }] };
      }
    }
    if (call.method === 'eth_getBlockByNumber' && call.params[0] === 'latest' && chance < 0.02) {
      lie('head of 2^51');
      return { result: { ...(answer.result as object), number: '0x8000000000000' } };
    }
    if (call.method === 'eth_getBlockByNumber' && chance > 0.98) {
      lie('block time of 0');
      return { result: { ...(answer.result as object), timestamp: '0x0' } };
    }
    return answer;
  };
  proxy.onCall = fault;
  return { url: proxy.url, lies, close: () => proxy.close() };
}
