import type { Hex } from '../core/hex.js';
import { type BlockHeader, parseBlockHeader } from './block-header.js';
import { type JsonRpcCall, MalformedAnswerError } from './json-rpc-transport.js';
import { parseBytes, toQuantity } from './quantity.js';
import { encodeLogFilter, type LogFilter, parseLogs, type RawLog } from './raw-log.js';
import type { RpcEndpoint } from './rpc-endpoint.js';
import { RpcError, RpcInvalidAnswerError, RpcRefusedError, RpcUnavailableError } from './rpc-errors.js';

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

/** A range of logs with its outermost blocks, as one node told in one batch. */
export interface LogRange {
  readonly logs: readonly RawLog[];
  readonly first: BlockHeader;
  readonly last: BlockHeader;
}

/**
 * One node, for as long as an operation lasts: answers of different nodes must not be mixed where they have to agree.
 * Every method throws `RpcError`, or `AbortedError` when the operation's signal aborts.
 */
export interface RpcNode {
  /** Index of its URL. */
  readonly index: number;
  heads(numbers: readonly number[]): Promise<ChainHeads>;
  /** The blocks of these numbers, in order; null for one that the node does not have. */
  headers(numbers: readonly number[]): Promise<readonly (BlockHeader | null)[]>;
  /** @throws RpcTooManyResultsError when the range is too long */
  logs(filter: LogFilter): Promise<readonly RawLog[]>;
  /** One answer per filter, in order. */
  logsOfEach(filters: readonly LogFilter[]): Promise<readonly (readonly RawLog[])[]>;
  /** @throws RpcTooManyResultsError when the range is too long */
  logRange(filter: LogFilter & { readonly blocks: { readonly from: number; readonly to: number } }): Promise<LogRange>;
  /** True when there is a contract at the address, as of the latest block. */
  hasCode(address: Hex): Promise<boolean>;
  /** The error for an answer of this node that contradicts another. */
  invalid(what: string): RpcInvalidAnswerError;
  /** The error for a block that this node should have and does not. */
  missing(blockNumber: number): RpcUnavailableError;
}

const getBlock = (block: number | string): JsonRpcCall => ({
  method: 'eth_getBlockByNumber',
  params: [typeof block === 'number' ? toQuantity(block) : block, false],
});
const getLogs = (filter: LogFilter): JsonRpcCall => ({ method: 'eth_getLogs', params: [encodeLogFilter(filter)] });

/** The node behind `endpoint`, asking on behalf of an operation that `signal` ends. */
export function createRpcNode(endpoint: RpcEndpoint, signal: AbortSignal): RpcNode {
  const invalid = (what: string) => new RpcInvalidAnswerError(endpoint.origin, what);
  const missing = (block: number) =>
    new RpcUnavailableError(endpoint.origin, `block ${block} is not there yet`, { details: { block } });

  function parsed<T>(parse: () => T): T {
    try {
      return parse();
    } catch (thrown) {
      if (thrown instanceof MalformedAnswerError) throw invalid(thrown.message);
      throw thrown;
    }
  }

  function headerOf(result: unknown, number: number | null): BlockHeader | null {
    const header = parsed(() => parseBlockHeader(resultOrThrow(result)));
    if (header && number !== null && header.number !== number)
      throw invalid(`block ${header.number} for block ${number}`);
    return header;
  }

  /** Tags that a node does not have are errors with some, null with others. */
  function tagged(result: unknown): BlockHeader | null {
    return result instanceof RpcRefusedError ? null : headerOf(result, null);
  }

  return {
    index: endpoint.index,
    invalid,
    missing,
    async heads(numbers) {
      const calls = [getBlock('latest'), getBlock('safe'), getBlock('finalized'), ...numbers.map(getBlock)];
      const [latestResult, safe, finalized, ...blocks] = await endpoint.request(calls, signal);
      const latest = headerOf(latestResult, null);
      if (!latest) throw invalid('there is no latest block');
      endpoint.noteHead(latest.number);
      const heads = {
        latest,
        safe: tagged(safe),
        finalized: tagged(finalized),
        blocks: blocks.map((block, index) => headerOf(block, numbers[index] ?? null)),
      };
      for (const head of [heads.safe, heads.finalized])
        if (head && head.number > latest.number) throw invalid('a safe or finalized block above the latest');
      return heads;
    },
    async headers(numbers) {
      const results = await endpoint.request(numbers.map(getBlock), signal);
      return results.map((result, index) => headerOf(result, numbers[index] ?? null));
    },
    async logs(filter) {
      const [result] = await endpoint.request([getLogs(filter)], signal);
      return parsed(() => parseLogs(resultOrThrow(result), filter));
    },
    async logsOfEach(filters) {
      const results = await endpoint.request(filters.map(getLogs), signal);
      return filters.map((filter, index) => parsed(() => parseLogs(resultOrThrow(results[index]), filter)));
    },
    async logRange(filter) {
      const { from, to } = filter.blocks;
      const [result, first, last] = await endpoint.request([getLogs(filter), getBlock(from), getBlock(to)], signal);
      const logs = parsed(() => parseLogs(resultOrThrow(result), filter));
      const firstBlock = headerOf(first, from);
      const lastBlock = headerOf(last, to);
      if (!firstBlock) throw missing(from);
      if (!lastBlock) throw missing(to);
      return { logs, first: firstBlock, last: lastBlock };
    },
    async hasCode(address) {
      const [result] = await endpoint.request([{ method: 'eth_getCode', params: [address, 'latest'] }], signal);
      return parsed(() => parseBytes(resultOrThrow(result), 'code')).length > 0;
    },
  };
}

function resultOrThrow(result: unknown): unknown {
  if (result instanceof RpcError) throw result;
  return result;
}
