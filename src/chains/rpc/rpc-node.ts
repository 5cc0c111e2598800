import { numberToHex, type Transport } from 'viem';
import type { Hex } from '../../core/hex.js';
import { type BlockHeader, parseBlockHeader } from './block-header.js';
import { noteHead } from './head-proof.js';
import type { JsonRpcCall } from './json-rpc-transport.js';
import { encodeLogFilter, type LogFilter, parseLogs, type RawLog } from './raw-log.js';
import type { RpcEndpoint } from './rpc-endpoint.js';
import { RpcError, RpcInvalidAnswerError, RpcRefusedError, RpcUnavailableError } from './rpc-errors.js';
import { checkedResult, viemTransport } from './viem-transport.js';

/** Where a chain stands, as one node told in one batch. */
export interface ChainHeads {
  readonly latest: BlockHeader;
  /** Null when the node has no such tag, or nothing is safe yet. */
  readonly safe: BlockHeader | null;
  /** Null when the node has no such tag, or nothing is final yet. */
  readonly finalized: BlockHeader | null;
  /** The blocks of these numbers, in order; null for one that the node does not have. */
  readonly blocks: readonly (BlockHeader | null)[];
}

/**
 * A range of logs with its outermost blocks, as one node told in one batch. These blocks are linked to those outside of
 * the range: a hash that is wrong in one answer must not become the cursor.
 */
export interface LogRange {
  readonly logs: readonly RawLog[];
  readonly first: BlockHeader;
  readonly last: BlockHeader;
}

/** Logs of a range of blocks. */
export type RangeFilter = LogFilter & { readonly blocks: { readonly from: number; readonly to: number } };
/** Logs of one block. */
export type BlockFilter = LogFilter & { readonly blocks: { readonly hash: Hex } };

/**
 * One node, for as long as an operation lasts: answers of different nodes must not be mixed where they have to agree.
 *
 * One URL may stand for several nodes, some of which lag: an answer with logs comes in one request with a block that
 * the node must have, so that logs that it does not have yet are not taken for none.
 *
 * Every method throws `RpcError`, or `AbortedError` when the operation's signal aborts.
 */
export interface RpcNode {
  /** Index of its URL. */
  readonly index: number;
  /** Requests sent so far for this operation. */
  readonly requests: number;
  heads(numbers: readonly number[]): Promise<ChainHeads>;
  /** The blocks of these numbers, in order; null for one that the node does not have. */
  headers(numbers: readonly number[]): Promise<readonly (BlockHeader | null)[]>;
  /**
   * @throws RpcTooManyResultsError when the range is too long, RpcUnavailableError when the node lacks its last block
   */
  logs(filter: RangeFilter): Promise<readonly RawLog[]>;
  /** One answer per filter, in order. @throws RpcUnavailableError when the node lacks one of the blocks */
  logsOfEach(filters: readonly BlockFilter[]): Promise<readonly (readonly RawLog[])[]>;
  /** @throws RpcTooManyResultsError when the range is too long, RpcUnavailableError when the node lacks its blocks */
  logRange(filter: RangeFilter): Promise<LogRange>;
  /** The result of a call, checked by `checkedResult`. */
  call(call: JsonRpcCall): Promise<unknown>;
  /** The node for a viem client, whose errors `withRpcErrors` turns into those of this node. */
  readonly transport: Transport;
  /** The error for an answer of this node that contradicts another. */
  invalid(what: string): RpcInvalidAnswerError;
  /** The error for a block that this node should have and does not. */
  missing(blockNumber: number): RpcUnavailableError;
}

/** Chains for tests are moved ahead by years at most. */
const MAX_AHEAD_MS = 10 * 365 * 24 * 60 * 60 * 1_000;

const getBlock = (block: number | string): JsonRpcCall => ({
  method: 'eth_getBlockByNumber',
  params: [typeof block === 'number' ? numberToHex(block) : block, false],
});
const getBlockOf = (hash: Hex): JsonRpcCall => ({ method: 'eth_getBlockByHash', params: [hash, false] });
const getLogs = (filter: LogFilter): JsonRpcCall => ({ method: 'eth_getLogs', params: [encodeLogFilter(filter)] });

/** The node behind `endpoint`, asking on behalf of an operation that `signal` ends. */
export function createRpcNode(endpoint: RpcEndpoint, signal: AbortSignal): RpcNode {
  let requests = 0;
  const request = (calls: readonly JsonRpcCall[]) =>
    endpoint.request(calls, signal, () => {
      requests++;
    });
  const invalid = (what: string) => new RpcInvalidAnswerError(endpoint.origin, what);
  const missing = (block: number) =>
    new RpcUnavailableError(endpoint.origin, `block ${block} is not there yet`, { details: { block } });

  function headerOf(result: unknown, number: number | null): BlockHeader | null {
    const header = endpoint.parsed(() => parseBlockHeader(resultOrThrow(result)));
    if (header && number !== null && header.number !== number)
      throw invalid(`number of block ${number} is ${header.number}`);
    if (header && header.timestampMs > endpoint.nowMs() + MAX_AHEAD_MS)
      throw invalid(`timestamp of block ${header.number} is years ahead of the clock here`);
    return header;
  }

  /** Tags that a node does not have are errors with some, null with others. */
  function tagged(result: unknown): BlockHeader | null {
    return result instanceof RpcRefusedError ? null : headerOf(result, null);
  }

  /** The safe block, if it is one: reading goes on without it. */
  function safeOf(result: unknown, latest: BlockHeader): BlockHeader | null {
    try {
      const safe = tagged(result);
      return safe && safe.number <= latest.number ? safe : null;
    } catch (thrown) {
      if (thrown instanceof RpcInvalidAnswerError) return null;
      throw thrown;
    }
  }

  /** A block next to a range: one that the node does not have proves nothing. */
  function neighbour(result: unknown, number: number): BlockHeader | null {
    return result === undefined || result instanceof RpcRefusedError ? null : headerOf(result, number);
  }

  function checkLink(parent: BlockHeader | null, child: BlockHeader | null): void {
    if (!parent || !child) return;
    if (child.parentHash !== parent.hash)
      throw invalid(`parentHash of block ${child.number} is not the hash of block ${parent.number}`);
    if (child.timestampMs < parent.timestampMs)
      throw invalid(`timestamp of block ${child.number} is before that of block ${parent.number}`);
  }

  return {
    index: endpoint.index,
    get requests() {
      return requests;
    },
    invalid,
    missing,
    async heads(numbers) {
      const calls = [getBlock('latest'), getBlock('safe'), getBlock('finalized'), ...numbers.map(getBlock)];
      const [latestResult, safe, finalized, ...blocks] = await request(calls);
      const latest = headerOf(latestResult, null);
      if (!latest) throw invalid('there is no latest block');
      await noteHead(endpoint, latest.number, signal);
      const final = tagged(finalized);
      if (final && final.number > latest.number)
        throw invalid(`number of the finalized block is ${final.number}, above the latest, which is ${latest.number}`);
      return {
        latest,
        safe: safeOf(safe, latest),
        finalized: final,
        blocks: blocks.map((block, index) => headerOf(block, numbers[index] ?? null)),
      };
    },
    async headers(numbers) {
      const results = await request(numbers.map(getBlock));
      return results.map((result, index) => headerOf(result, numbers[index] ?? null));
    },
    async logs(filter) {
      const [result, last] = await request([getLogs(filter), getBlock(filter.blocks.to)]);
      const logs = endpoint.parsed(() => parseLogs(resultOrThrow(result), filter));
      if (!headerOf(last, filter.blocks.to)) throw missing(filter.blocks.to);
      return logs;
    },
    async logsOfEach(filters) {
      const results = await request(filters.flatMap((filter) => [getLogs(filter), getBlockOf(filter.blocks.hash)]));
      return filters.map((filter, index) => {
        const logs = endpoint.parsed(() => parseLogs(resultOrThrow(results[2 * index]), filter));
        const header = headerOf(results[2 * index + 1], null);
        if (!header) throw new RpcUnavailableError(endpoint.origin, `block ${filter.blocks.hash} is not there`);
        if (header.hash !== filter.blocks.hash) throw invalid(`block ${header.hash} for block ${filter.blocks.hash}`);
        return logs;
      });
    },
    async logRange(filter) {
      const { from, to } = filter.blocks;
      const calls = [getLogs(filter), getBlock(from), getBlock(to), getBlock(to + 1)];
      if (from > 0) calls.push(getBlock(from - 1));
      const [result, first, last, after, before] = await request(calls);
      const logs = endpoint.parsed(() => parseLogs(resultOrThrow(result), filter));
      const firstBlock = headerOf(first, from);
      const lastBlock = headerOf(last, to);
      if (!firstBlock) throw missing(from);
      if (!lastBlock) throw missing(to);
      checkLink(neighbour(before, from - 1), firstBlock);
      checkLink(lastBlock, neighbour(after, to + 1));
      if (from === to && firstBlock.hash !== lastBlock.hash) throw invalid(`hash of block ${to} is not one`);
      return { logs, first: firstBlock, last: lastBlock };
    },
    call,
    transport: viemTransport(`chain ${endpoint.origin.chain}, RPC URL ${endpoint.index}`, call),
  };

  async function call(asked: JsonRpcCall): Promise<unknown> {
    const [result] = await request([asked]);
    return endpoint.parsed(() => checkedResult(asked, resultOrThrow(result)));
  }
}

function resultOrThrow(result: unknown): unknown {
  if (result instanceof RpcError) throw result;
  return result;
}
