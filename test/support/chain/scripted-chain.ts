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
import { type EmittedLog, makeMessageLog } from './log-emitter.js';
import { ON_RAMP, SOURCE } from './watch.js';

const FULL_BLOOM: Hex = `0x${'ff'.repeat(256)}`;
const EMPTY_BLOOM: Hex = `0x${'00'.repeat(256)}`;
const hashOf = (serial: number): Hex => `0x${serial.toString(16).padStart(64, '0')}`;

interface Block {
  readonly header: BlockHeader;
  readonly logs: readonly RawLog[];
}

/** Tag of a node: so many blocks below its latest, a block of its own, or unknown to it. */
export type Tag = { readonly depth: number } | { readonly block: number } | null;

/** One node, as a test wants it. It follows the chain unless it stays on `branch`. */
export interface ScriptedNode {
  isUp: boolean;
  finalized: Tag;
  safe: Tag;
  /** It has blocks, and not yet their logs. */
  withoutLogs: boolean;
  /** A branch of its own; null: it has the chain. */
  branch: readonly Block[] | null;
  /** Requests, and what they were for: blocks whose headers, and ranges whose logs were asked for. */
  readonly asked: { requests: number; headers: number; logs: (readonly [from: number, to: number])[] };
}

type MessageLog = EmittedLog & { readonly messageId: Hex };

let serial = 1;
let messageCount = 0;

/** A chain that grows and reorganises by a test's word, seen through nodes that lie by its word. */
export class ScriptedChain {
  #blocks: Block[] = [];
  readonly nodes: readonly ScriptedNode[];

  constructor(nodeCount = 1) {
    this.#append([]);
    this.nodes = Array.from({ length: nodeCount }, () => ({
      isUp: true,
      finalized: { depth: 64 },
      safe: { depth: 32 },
      withoutLogs: false,
      branch: null,
      asked: { requests: 0, headers: 0, logs: [] },
    }));
  }

  get head(): number {
    return this.#blocks.length - 1;
  }

  get blocks(): readonly Block[] {
    return this.#blocks;
  }

  hashAt(number: number): Hex {
    return (this.#blocks[number] as Block).header.hash;
  }

  /** Empty blocks. */
  mine(count: number): void {
    for (let block = 0; block < count; block++) this.#append([]);
  }

  /** A block with a message, new or given. Returns the message. */
  message(log: MessageLog = makeMessageLog(SOURCE, ++messageCount)): MessageLog {
    this.#append([log]);
    return log;
  }

  /** Takes the last `depth` blocks away; whatever comes next is another branch. */
  fork(depth: number): void {
    this.#blocks = this.#blocks.slice(0, this.#blocks.length - depth);
  }

  /** Every message on the chain through that block, as id and place, sorted. */
  live(through = this.head): readonly string[] {
    return this.#blocks
      .slice(0, through + 1)
      .flatMap(({ logs }) => logs.map((log) => `${log.topics[3]} ${log.blockHash}:${log.logIndex}`))
      .sort();
  }

  /** A node that fails, or is at fault, is asked last the next time, as with the real client. */
  client(): RpcPool {
    const all = this.nodes.map((node, index) => this.#rpcNode(node, index));
    let order = [...all];
    const last = (node: RpcNode) => {
      order = [...order.filter((each) => each !== node), node];
    };
    return {
      urlCount: all.length,
      transport: viemTransport('scripted', async () => '0x01'),
      withNode: async (operation) => {
        let error: unknown;
        for (const node of order) {
          try {
            return await operation(node);
          } catch (thrown) {
            if (!(thrown instanceof RpcError) || thrown instanceof RpcTooManyResultsError) throw thrown;
            error = thrown;
            last(node);
          }
        }
        throw error;
      },
      others: ({ index }) => order.filter((node) => node.index !== index),
      chainId: 1337,
      reachable: () => order,
      blame: ({ origin }) => last(all[origin.url] as RpcNode),
      onNewHead: () => () => undefined,
      status: () => [],
      close: async () => undefined,
    };
  }

  #append(logs: readonly EmittedLog[]): void {
    const number = this.#blocks.length;
    const hash = hashOf(serial++);
    this.#blocks.push({
      header: {
        number,
        hash,
        parentHash: this.#blocks.at(-1)?.header.hash ?? hashOf(0),
        timestampMs: number * 1_000,
        logsBloom: logs.length > 0 ? FULL_BLOOM : EMPTY_BLOOM,
      },
      logs: logs.map(({ topics, data }, logIndex) => ({
        address: ON_RAMP,
        topics,
        data: Buffer.from(data.slice(2), 'hex'),
        blockNumber: number,
        blockHash: hash,
        blockTimestampMs: number * 1_000,
        transactionHash: hash,
        logIndex,
      })),
    });
  }

  #rpcNode(node: ScriptedNode, index: number): RpcNode {
    const origin = { chain: 'a', url: index };
    const missing = (block: number) => new RpcUnavailableError(origin, `block ${block} is not there yet`);
    const look = (): readonly Block[] => {
      node.asked.requests++;
      if (!node.isUp) throw new RpcUnavailableError(origin, 'away');
      return node.branch ?? this.#blocks;
    };
    const headers = (branch: readonly Block[], numbers: readonly number[]) => {
      node.asked.headers += numbers.length;
      // fifty calls a request, as the real client sends them
      node.asked.requests += Math.max(0, Math.ceil(numbers.length / 50) - 1);
      return numbers.map((number) => branch[number]?.header ?? null);
    };
    const tagged = (branch: readonly Block[], tag: Tag) => {
      if (tag === null) return null;
      const number = 'depth' in tag ? branch.length - 1 - tag.depth : tag.block;
      return branch[Math.max(0, number)]?.header ?? null;
    };
    const logs = (branch: readonly Block[], { blocks }: LogFilter): readonly RawLog[] => {
      if ('hash' in blocks) {
        const block = branch.find(({ header }) => header.hash === blocks.hash);
        if (!block) throw new RpcUnavailableError(origin, 'unknown block');
        return node.withoutLogs ? [] : block.logs;
      }
      node.asked.logs.push([blocks.from, blocks.to]);
      if (node.withoutLogs) return [];
      return branch.slice(blocks.from, blocks.to + 1).flatMap((block) => block.logs);
    };
    return {
      index,
      requests: 0,
      call: async () => '0x01',
      transport: viemTransport('scripted', async () => '0x01'),
      missing,
      invalid: (what) => new RpcInvalidAnswerError(origin, what),
      heads: async (numbers) => {
        const branch = look();
        return {
          latest: (branch.at(-1) as Block).header,
          safe: tagged(branch, node.safe),
          finalized: tagged(branch, node.finalized),
          blocks: headers(branch, numbers),
        };
      },
      headers: async (numbers) => headers(look(), numbers),
      logs: async (filter) => logs(look(), filter),
      logsOfEach: async (filters) => {
        const branch = look();
        return filters.map((filter) => logs(branch, filter));
      },
      logRange: async (filter) => {
        const branch = look();
        const [first, last] = [branch[filter.blocks.from], branch[filter.blocks.to]];
        if (!first) throw missing(filter.blocks.from);
        if (!last) throw missing(filter.blocks.to);
        return { logs: logs(branch, filter), first: first.header, last: last.header };
      },
    };
  }
}
