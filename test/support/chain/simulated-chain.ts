import { EXECUTION_TOPIC } from '../../../src/chains/logs/execution-log.js';
import type { BlockHeader } from '../../../src/chains/rpc/block-header.js';
import type { LogFilter, RawLog } from '../../../src/chains/rpc/raw-log.js';
import {
  RpcError,
  RpcInvalidAnswerError,
  RpcTooManyResultsError,
  RpcUnavailableError,
} from '../../../src/chains/rpc/rpc-errors.js';
import type { RpcNode } from '../../../src/chains/rpc/rpc-node.js';
import type { RpcPool } from '../../../src/chains/rpc/rpc-pool.js';
import { viemTransport } from '../../../src/chains/rpc/viem-transport.js';
import type { Hex } from '../../../src/core/hex.js';
import type { Random } from '../../../src/core/random.js';
import { logIdentity } from '../../../src/model/identity.js';
import { type EmittedLog, makeExecutionLog, makeMessageLog } from './log-emitter.js';
import { OFF_RAMP, ON_RAMP, SOURCE } from './watch.js';

interface Block {
  readonly header: BlockHeader;
  readonly logs: readonly RawLog[];
}
type Branch = readonly Block[];
type SimulatedLog = EmittedLog & { readonly messageId: Hex };

const FULL_BLOOM: Hex = `0x${'ff'.repeat(256)}`;
const EMPTY_BLOOM: Hex = `0x${'00'.repeat(256)}`;
const hash = (serial: number): Hex => `0x${serial.toString(16).padStart(64, '0')}`;

const simulated: SimulatedLog[] = [];
/** The n-th log ever, made once for all runs: every third is an execution, the others are messages. */
function logAt(index: number): SimulatedLog {
  while (simulated.length <= index) {
    const serial = simulated.length + 1;
    const execution = { messageId: hash(serial), state: serial % 2 === 0 ? 2 : 3 };
    simulated.push(
      serial % 3 === 0 ? { ...makeExecutionLog(execution), ...execution } : makeMessageLog(SOURCE, serial),
    );
  }
  return simulated[index] as SimulatedLog;
}

const isExecution = ({ topics }: Pick<RawLog, 'topics'>) => topics[0] === EXECUTION_TOPIC;

/** How bad it gets, each between 0 and 1. */
export interface Weather {
  /** That the chain moves between two questions. */
  readonly change: number;
  /** That a change is a reorg. */
  readonly reorg: number;
  /** That a call fails. */
  readonly failure: number;
  /** That a node leaves out the logs of one block. */
  readonly omission: number;
  /** Blooms are empty, and only the second node never leaves anything out. */
  readonly emptyBlooms?: boolean;
}

/**
 * A chain that grows, reorganises above its finalized block and is seen through two nodes, each somewhere in the recent
 * past of it. Whatever happens is drawn from one seeded source, so a run can be repeated.
 */
export class SimulatedChain {
  readonly #random: Random;
  #weather: Weather;
  /** Every state the chain was in, the present one last. */
  readonly #history: { readonly branch: Branch; readonly finalized: number }[];
  #serial = 1;
  #nextLog = 0;
  /** Logs that a reorg dropped and that may come back. */
  #homeless: SimulatedLog[] = [];
  reorgs = 0;

  constructor(random: Random, weather: Weather) {
    this.#random = random;
    this.#weather = weather;
    const genesis = this.#makeBlock([], []);
    this.#history = [{ branch: [genesis], finalized: 0 }];
  }

  get head(): number {
    return this.#now.branch.length - 1;
  }

  /** Grows by `count` blocks and makes all but the last `depth` of them final. */
  grow(count: number, depth: number): void {
    for (let block = 0; block < count; block++) this.#extend();
    this.#finalize(this.head - depth);
  }

  /** From now on nothing changes and nothing fails. */
  calm(): void {
    this.#weather = { ...this.#weather, change: 0, reorg: 0, failure: 0, omission: 0 };
    // both nodes see the present
    this.#history.splice(0, this.#history.length - 1);
  }

  /** Every message on the chain, through that block, as id and place, sorted. */
  live(through = this.head): readonly string[] {
    return this.#now.branch
      .slice(0, through + 1)
      .flatMap(({ logs }) => logs.filter((log) => !isExecution(log)))
      .map((log) => `${log.topics[3]} ${log.blockHash}:${log.logIndex}`)
      .sort();
  }

  /** Every execution on the chain, through that block, as a `MemoryChainStore` names it, sorted. */
  executions(through = this.head): readonly string[] {
    return this.#now.branch
      .slice(0, through + 1)
      .flatMap(({ logs }) => logs.filter(isExecution))
      .map(({ topics, blockHash, logIndex }) => logIdentity({ messageId: topics[3] as Hex, blockHash, logIndex }))
      .sort();
  }

  client(): RpcPool {
    const nodes = [0, 1].map((index) => this.#node(index));
    return {
      urlCount: nodes.length,
      transport: viemTransport('scripted', async () => '0x01'),
      chainId: 1337,
      withNode: async (operation) => {
        const order = this.#random() < 0.7 ? nodes : [...nodes].reverse();
        let last: unknown;
        for (const node of order) {
          try {
            return await operation(node);
          } catch (thrown) {
            if (!(thrown instanceof RpcError) || thrown instanceof RpcTooManyResultsError) throw thrown;
            last = thrown;
          }
        }
        throw last;
      },
      others: ({ index }) => nodes.filter((node) => node.index !== index),
      reachable: () => nodes,
      blame: () => undefined,
      onNewHead: () => () => undefined,
      status: () => [],
      close: async () => undefined,
    };
  }

  get #now() {
    return this.#history.at(-1) as { readonly branch: Branch; readonly finalized: number };
  }

  #makeBlock(branch: Branch, logs: readonly SimulatedLog[]): Block {
    const number = branch.length;
    const blockHash = hash(this.#serial++);
    const parentHash = branch.at(-1)?.header.hash ?? hash(0);
    return {
      header: {
        number,
        hash: blockHash,
        parentHash,
        timestampMs: number * 1_000,
        logsBloom: !this.#weather.emptyBlooms && (logs.length > 0 || this.#random() < 0.05) ? FULL_BLOOM : EMPTY_BLOOM,
      },
      logs: logs.map(({ topics, data }, index) => ({
        address: isExecution({ topics }) ? OFF_RAMP : ON_RAMP,
        topics,
        data: Buffer.from(data.slice(2), 'hex'),
        blockNumber: number,
        blockHash,
        blockTimestampMs: this.#random() < 0.5 ? number * 1_000 : null,
        transactionHash: hash(number),
        logIndex: index * 2,
      })),
    };
  }

  #extend(): void {
    const { branch, finalized } = this.#now;
    const logs: SimulatedLog[] = [];
    while (this.#random() < 0.4) {
      const returning = this.#random() < 0.6 ? this.#homeless.shift() : undefined;
      logs.push(returning ?? logAt(this.#nextLog++));
    }
    this.#history.push({ branch: [...branch, this.#makeBlock(branch, logs)], finalized });
    if (this.#history.length > 6) this.#history.shift();
  }

  #finalize(block: number): void {
    const { branch, finalized } = this.#now;
    this.#history.push({ branch, finalized: Math.max(finalized, block) });
    // a node never has another view of what is final, but may not know yet that it is
    const kept = this.#history.filter((past) => past.branch[block]?.header.hash === branch[block]?.header.hash);
    this.#history.splice(0, this.#history.length, ...kept);
  }

  #reorg(): void {
    const { branch, finalized } = this.#now;
    const depth = 1 + Math.floor(this.#random() * (branch.length - 1 - finalized));
    if (depth > branch.length - 1 - finalized) return;
    this.reorgs++;
    const dropped = branch.slice(branch.length - depth);
    const byId = new Map(simulated.map((log) => [log.messageId, log]));
    this.#homeless.push(
      ...dropped.flatMap(({ logs }) => logs.map(({ topics }) => byId.get(topics[3] as Hex) as SimulatedLog)),
    );
    this.#history.push({ branch: branch.slice(0, branch.length - depth), finalized });
    // most often the new branch is longer at once, sometimes it takes its time
    const length = this.#random() < 0.7 ? depth + 1 : Math.floor(this.#random() * depth);
    for (let block = 0; block < length; block++) this.#extend();
  }

  #maybeChange(): void {
    if (this.#random() >= this.#weather.change) return;
    if (this.#random() < this.#weather.reorg) this.#reorg();
    else for (let block = Math.floor(this.#random() * 4); block >= 0; block--) this.#extend();
    if (this.#random() < 0.3) this.#finalize(this.#now.branch.length - 1 - Math.floor(2 + this.#random() * 12));
  }

  #node(index: number): RpcNode {
    const origin = { chain: 'a', url: index };
    const invalid = (what: string) => new RpcInvalidAnswerError(origin, what);
    const missing = (block: number) => new RpcUnavailableError(origin, `block ${block} is not there yet`);
    const view = () => {
      this.#maybeChange();
      if (this.#random() < this.#weather.failure) throw new RpcUnavailableError(origin, 'chance');
      const back = this.#random() < 0.6 ? 0 : Math.floor(this.#random() * this.#history.length);
      return this.#history[this.#history.length - 1 - back] ?? this.#now;
    };
    const headers = (branch: Branch, numbers: readonly number[]) =>
      numbers.map((number) => branch[number]?.header ?? null);
    const logs = (branch: Branch, { blocks }: LogFilter): RawLog[] => {
      if ('hash' in blocks) {
        const block = branch.find(({ header }) => header.hash === blocks.hash);
        if (!block) throw new RpcUnavailableError(origin, 'unknown block');
        return [...block.logs];
      }
      if (blocks.to - blocks.from > 10 && this.#random() < this.#weather.failure)
        throw new RpcTooManyResultsError(origin, 'chance');
      const honest = this.#weather.emptyBlooms && index === 1;
      const omitted =
        !honest && this.#random() < this.#weather.omission
          ? blocks.from + Math.floor(this.#random() * (blocks.to - blocks.from + 1))
          : -1;
      return branch
        .slice(blocks.from, blocks.to + 1)
        .flatMap((block) => (block.header.number === omitted ? [] : block.logs));
    };
    return {
      index,
      requests: 0,
      invalid,
      missing,
      heads: async (numbers) => {
        const { branch, finalized } = view();
        const latest = branch.at(-1)?.header as BlockHeader;
        const final = branch[Math.min(finalized, branch.length - 1)]?.header ?? null;
        return { latest, safe: final, finalized: final, blocks: headers(branch, numbers) };
      },
      call: async () => '0x01',
      transport: viemTransport('scripted', async () => '0x01'),
      headers: async (numbers) => headers(view().branch, numbers),
      logs: async (filter) => logs(view().branch, filter),
      logsOfEach: async (filters) => {
        const { branch } = view();
        return filters.map((filter) => logs(branch, filter));
      },
      logRange: async (filter) => {
        const { branch } = view();
        const [first, last] = headers(branch, [filter.blocks.from, filter.blocks.to]);
        if (!first) throw missing(filter.blocks.from);
        if (!last) throw missing(filter.blocks.to);
        return { logs: logs(branch, filter), first, last };
      },
    };
  }
}
