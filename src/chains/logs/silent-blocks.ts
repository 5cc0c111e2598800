import type { Logger } from '../../core/logger.js';
import type { ChainMetrics } from '../chain-metrics.js';
import type { BlockHeader } from '../rpc/block-header.js';
import type { LogFilter, RawLog } from '../rpc/raw-log.js';
import { RpcError } from '../rpc/rpc-errors.js';
import type { RpcNode } from '../rpc/rpc-node.js';
import type { RpcPool } from '../rpc/rpc-pool.js';

/** A block that could hold logs by its bloom, and for which a node returned none. */
export type SilentBlock = Pick<BlockHeader, 'number' | 'hash'>;

/**
 * Asks again, by block hash, for the logs of blocks that are suspiciously silent, of one other node after the other
 * until each block has spoken: a node that left logs out is passed over for a while, and `onLiar` is told of it. A
 * silence that every node which can be reached repeats is believed, and counted: most often the bloom was a false
 * positive. When no other node can answer, the same one is asked once more, which is counted as unconfirmed.
 */
export function createSilenceCheck({
  chain,
  rpc,
  filter,
  metrics,
  log,
  onLiar,
}: {
  readonly chain: string;
  readonly rpc: RpcPool;
  readonly filter: Omit<LogFilter, 'blocks'>;
  readonly metrics: ChainMetrics;
  readonly log: Logger;
  readonly onLiar: (url: number) => void;
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
    const found: RawLog[] = [];
    let silent = blocks;
    let asked = 0;
    for (const other of blocks.length === 0 ? [] : rpc.others(node, signal)) {
      if (silent.length === 0) break;
      try {
        const told = await ask(other, silent);
        asked++;
        if (told.length === 0) continue;
        report(node, told);
        found.push(...told);
        const loud = new Set(told.map(({ blockHash }) => blockHash));
        silent = silent.filter(({ hash }) => !loud.has(hash));
      } catch (thrown) {
        if (!(thrown instanceof RpcError)) throw thrown;
        // one that lacks the block is a little behind, and good for older ones
        if (thrown.kind !== 'unavailable' && thrown.kind !== 'refused') rpc.blame(thrown);
        log.debug({ chain, url: other.index, err: thrown }, 'no second opinion from this RPC node');
      }
    }
    if (found.length > 0) {
      rpc.blame(node.invalid('logs were left out that another node has'));
      onLiar(node.index);
    }
    if (silent.length === 0) return found;
    if (asked > 0) {
      metrics.believedSilences.inc({ chain }, silent.length);
      return found;
    }
    const again = await ask(node, silent);
    if (again.length > 0) report(node, again);
    metrics.unconfirmedSilences.inc({ chain }, silent.length);
    return again;
  };
}

/** See `createSilenceCheck`. */
export type SilenceCheck = ReturnType<typeof createSilenceCheck>;
