import type { Logger } from '../core/logger.js';
import type { BlockHeader } from './block-header.js';
import type { ChainMetrics } from './chain-metrics.js';
import type { LogFilter, RawLog } from './raw-log.js';
import type { RpcClient } from './rpc-client.js';
import { RpcError } from './rpc-errors.js';
import type { RpcNode } from './rpc-node.js';

/** A block that could hold logs by its bloom, and for which a node returned none. */
export type SilentBlock = Pick<BlockHeader, 'number' | 'hash'>;

/**
 * Asks again, by block hash, for the logs of blocks that are suspiciously silent: the first other node that can answer
 * decides. Its logs are taken and the node that left them out is passed over for a while. None from two nodes: the bloom
 * was a false positive. When no other node can answer, the same one is asked once more, which is counted as unconfirmed.
 */
export function createSilenceCheck({
  chain,
  rpc,
  filter,
  metrics,
  log,
}: {
  readonly chain: string;
  readonly rpc: RpcClient;
  readonly filter: Omit<LogFilter, 'blocks'>;
  readonly metrics: ChainMetrics;
  readonly log: Logger;
}) {
  async function ask(node: RpcNode, blocks: readonly SilentBlock[]): Promise<readonly RawLog[]> {
    const answers = await node.logsOfEach(blocks.map(({ hash }) => ({ ...filter, blocks: { hash } })));
    for (const [index, block] of blocks.entries())
      if (answers[index]?.some(({ blockNumber }) => blockNumber !== block.number))
        throw node.invalid(`logs of block ${block.hash} with another number`);
    return answers.flat();
  }

  function report(node: RpcNode, found: readonly RawLog[]): void {
    metrics.missingLogs.inc({ chain, url: String(node.index) }, found.length);
    const blocks = found.map(({ blockNumber }) => blockNumber);
    log.warn({ chain, url: node.index, logs: found.length, blocks }, 'an RPC node left logs out of its answer');
  }

  return async (node: RpcNode, blocks: readonly SilentBlock[], signal: AbortSignal): Promise<readonly RawLog[]> => {
    if (blocks.length === 0) return [];
    for (const other of rpc.others(node, signal)) {
      try {
        const found = await ask(other, blocks);
        if (found.length > 0) {
          report(node, found);
          rpc.blame(node, node.invalid('logs were left out that another node has'));
        }
        return found;
      } catch (thrown) {
        if (!(thrown instanceof RpcError)) throw thrown;
        log.debug({ chain, url: other.index, err: thrown }, 'no second opinion from this RPC node');
      }
    }
    const found = await ask(node, blocks);
    if (found.length > 0) report(node, found);
    metrics.unconfirmedSilences.inc({ chain }, blocks.length);
    return found;
  };
}

/** See `createSilenceCheck`. */
export type SilenceCheck = ReturnType<typeof createSilenceCheck>;
