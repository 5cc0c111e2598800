import type { Hex } from '../core/hex.js';
import { MalformedAnswerError } from './json-rpc-transport.js';
import { parseBytes, parseHash, parseHex, parseQuantity, toQuantity } from './quantity.js';

/** A log as the node gave it, its envelope checked; topics and data say what they like. */
export interface RawLog {
  readonly address: Hex;
  /** 0 to 4 of 32 bytes each. */
  readonly topics: readonly Hex[];
  readonly data: Buffer;
  readonly blockNumber: number;
  readonly blockHash: Hex;
  /** Null from nodes that do not put it into logs. */
  readonly blockTimestampMs: number | null;
  readonly transactionHash: Hex;
  /** Within the block. */
  readonly logIndex: number;
}

/** Which logs: one event of one contract or several, in a range of blocks (both ends included) or in one block. */
export interface LogFilter {
  readonly address: Hex | readonly Hex[];
  readonly topic0: Hex;
  readonly blocks: { readonly from: number; readonly to: number } | { readonly hash: Hex };
}

/** The filter as `eth_getLogs` takes it. */
export function encodeLogFilter({ address, topic0, blocks }: LogFilter): Readonly<Record<string, unknown>> {
  const where =
    'hash' in blocks
      ? { blockHash: blocks.hash }
      : { fromBlock: toQuantity(blocks.from), toBlock: toQuantity(blocks.to) };
  return { address, topics: [topic0], ...where };
}

/**
 * The answer to `eth_getLogs`, checked against what was asked: the contract, the event, the blocks, strictly ascending
 * by block and index, one hash a block. An answer that breaks one of these is not sorted or filtered into shape: a node
 * that gets it wrong may have left something out as well.
 * @throws MalformedAnswerError
 */
export function parseLogs(result: unknown, filter: LogFilter): RawLog[] {
  if (!Array.isArray(result)) throw new MalformedAnswerError('the logs are not an array');
  let before: RawLog | null = null;
  return result.map((entry: unknown) => {
    const log = parseLog(entry);
    checkAsked(log, filter);
    checkOrder(before, log);
    before = log;
    return log;
  });
}

function parseLog(entry: unknown): RawLog {
  if (typeof entry !== 'object' || entry === null) throw new MalformedAnswerError('a log is not an object');
  const log = entry as Readonly<Record<string, unknown>>;
  const topics = log['topics'];
  if (!Array.isArray(topics) || topics.length > 4) throw new MalformedAnswerError('topics are not up to 4');
  if (log['removed'] === true) throw new MalformedAnswerError('a log is marked as removed');
  const timestamp = log['blockTimestamp'];
  return {
    address: parseHex(log['address'], 'address'),
    topics: topics.map((topic: unknown) => parseHash(topic, 'topic')),
    data: parseBytes(log['data'], 'data'),
    blockNumber: parseQuantity(log['blockNumber'], 'blockNumber'),
    blockHash: parseHash(log['blockHash'], 'blockHash'),
    blockTimestampMs:
      timestamp === undefined || timestamp === null ? null : parseQuantity(timestamp, 'blockTimestamp') * 1000,
    transactionHash: parseHash(log['transactionHash'], 'transactionHash'),
    logIndex: parseQuantity(log['logIndex'], 'logIndex'),
  };
}

function checkAsked(log: RawLog, { address, topic0, blocks }: LogFilter): void {
  if (typeof address === 'string' ? log.address !== address : !address.includes(log.address))
    throw new MalformedAnswerError('a log of another contract');
  if (log.topics[0] !== topic0) throw new MalformedAnswerError('a log of another event');
  const asked =
    'hash' in blocks ? log.blockHash === blocks.hash : log.blockNumber >= blocks.from && log.blockNumber <= blocks.to;
  if (!asked) throw new MalformedAnswerError(`a log of block ${log.blockNumber}, which was not asked for`);
}

function checkOrder(before: RawLog | null, log: RawLog): void {
  if (before === null) return;
  const sameBlock = before.blockNumber === log.blockNumber;
  if (before.blockNumber > log.blockNumber || (sameBlock && before.logIndex >= log.logIndex))
    throw new MalformedAnswerError(`logs out of order, or twice, at block ${log.blockNumber}`);
  if (sameBlock !== (before.blockHash === log.blockHash))
    throw new MalformedAnswerError(`two hashes for block ${log.blockNumber}, or one for two blocks`);
}
