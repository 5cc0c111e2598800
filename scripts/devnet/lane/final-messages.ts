import type { Common } from '../../../src/core/common.js';
import { toError } from '../../../src/core/errors.js';
import type { Hex } from '../../../src/core/hex.js';
import { type ChainHeads, isFinalityReached } from '../../../src/protocol/finality.js';
import { createJsonRpc, type JsonRpc } from '../anvil/json-rpc.js';
import { decodeSentLog, MESSAGE_SENT_TOPIC, type SentLog } from './events.js';

/** Watches one source chain for messages that have the finality they ask for. */
export interface FinalMessageWatcher {
  /** The last block whose messages have all been handed over. */
  settledBlock(): bigint;
  /** Resolves when the loop has ended. Idempotent. */
  close(): Promise<void>;
}

/** Dependencies of the watcher. */
export interface FinalMessageWatcherOptions {
  readonly common: Common;
  readonly url: string;
  readonly onRamp: Hex;
  /** The first block that may hold a message is the one after. */
  readonly startBlock: number;
  readonly pollMs: number;
  /** Handed each message once, when its finality is reached. Awaited; a failure is tried again. */
  readonly onFinal: (message: SentLog) => Promise<void>;
}

const BLOCKS_PER_REQUEST = 250n;

/**
 * Starts watching. This is deliberately not the indexer's watcher: a committee forms its own view of the chain. Every
 * round it reads anew all blocks above the last finalized one, so a message that a reorg removed before it was final is
 * simply not found any more, and never handed over.
 */
export function watchFinalMessages(options: FinalMessageWatcherOptions): FinalMessageWatcher {
  const { common, pollMs } = options;
  const rpc = createJsonRpc(options.url);
  const abort = new AbortController();
  const handed = new Set<Hex>();
  let settled = BigInt(options.startBlock);

  async function round(): Promise<void> {
    // Heads first: a message found afterwards in block b is judged by heads that are not newer than the view it is in.
    const heads = await readHeads(rpc, abort.signal);
    for (let from = settled + 1n; from <= heads.latest; from += BLOCKS_PER_REQUEST) {
      const to = from + BLOCKS_PER_REQUEST - 1n < heads.latest ? from + BLOCKS_PER_REQUEST - 1n : heads.latest;
      await handOver(from, to, heads);
      const final = heads.finalized ?? 0n;
      if (final >= from) settled = final < to ? final : to;
    }
  }

  async function handOver(from: bigint, to: bigint, heads: ChainHeads): Promise<void> {
    const filter = {
      address: options.onRamp,
      topics: [MESSAGE_SENT_TOPIC],
      fromBlock: quantity(from),
      toBlock: quantity(to),
    };
    const logs = (await rpc('eth_getLogs', [filter], abort.signal)) as RpcLog[];
    for (const log of logs) {
      const messageId = log.topics[3];
      if (messageId === undefined || handed.has(messageId)) continue;
      const sent = decodeSentLog(log);
      if (!isFinalityReached(sent.message.finality, BigInt(log.blockNumber), heads)) continue;
      await options.onFinal(sent);
      handed.add(messageId);
    }
  }

  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      try {
        await round();
        await common.clock.sleep(pollMs, abort.signal);
      } catch (thrown) {
        if (abort.signal.aborted) return;
        common.log.debug({ err: toError(thrown), url: options.url }, 'reading the source chain failed, trying again');
        await common.clock.sleep(pollMs, abort.signal).catch(() => undefined); // aborted: the loop ends
      }
    }
  }

  const running = run();
  return {
    settledBlock: () => settled,
    async close() {
      abort.abort();
      await running;
    },
  };
}

interface RpcLog {
  readonly topics: readonly Hex[];
  readonly data: Hex;
  readonly blockNumber: Hex;
}

async function readHeads(rpc: JsonRpc, signal: AbortSignal): Promise<ChainHeads> {
  const [latest, safe, finalized] = await Promise.all(
    ['latest', 'safe', 'finalized'].map(async (tag) => {
      const block = (await rpc('eth_getBlockByNumber', [tag, false], signal)) as { number: Hex } | null;
      return block === null ? null : BigInt(block.number);
    }),
  );
  return { latest: latest ?? 0n, safe: safe ?? null, finalized: finalized ?? null };
}

const quantity = (value: bigint): Hex => `0x${value.toString(16)}`;
