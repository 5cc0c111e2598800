import { numberToHex } from 'viem';
import type { Hex } from '../../core/hex.js';
import { MalformedAnswerError } from './json-rpc-transport.js';
import {
  MAX_BLOCK,
  MAX_LOG_INDEX,
  parseAddress,
  parseBytes,
  parseHash,
  parseQuantity,
  parseSecondsAsMs,
} from './quantity.js';

/** A log as the node gave it, its envelope checked; topics and data are not. */
export interface RawLog {
  readonly address: Hex;
  /** 0 to 4 of 32 bytes each. */
  readonly topics: readonly Hex[];
  readonly data: Buffer;
  readonly blockNumber: number;
  readonly blockHash: Hex;
  /** As the node put it into the log, if it did so in a form that can be right. The block's header knows better. */
  readonly blockTimestampMs: number | null;
  readonly transactionHash: Hex;
  /** Within the block. */
  readonly logIndex: number;
}

/** Some events, of some contracts. */
export interface EventFilter {
  /** Absent: of every contract. */
  readonly address?: Hex | readonly Hex[];
  /** Several: any of them. */
  readonly topic0: Hex | readonly Hex[];
}

/** Which logs: of some events, in a range of blocks (both ends included) or in one block. */
export interface LogFilter extends EventFilter {
  /** Events of other contracts, asked for in the same request. */
  readonly also?: EventFilter;
  readonly blocks: { readonly from: number; readonly to: number } | { readonly hash: Hex };
}

/** The filter as `eth_getLogs` takes it. Of two events, each address is asked for both: `parseLogs` drops the rest. */
export function encodeLogFilter({ address, topic0, also, blocks }: LogFilter): Readonly<Record<string, unknown>> {
  const where =
    'hash' in blocks
      ? { blockHash: blocks.hash }
      : { fromBlock: numberToHex(blocks.from), toBlock: numberToHex(blocks.to) };
  if (also === undefined) return { ...(address === undefined ? {} : { address }), topics: [topic0], ...where };
  const isAny = address === undefined || also.address === undefined;
  return {
    ...(isAny ? {} : { address: [address, also.address].flat() }),
    topics: [[topic0, also.topic0].flat()],
    ...where,
  };
}

/**
 * The answer to `eth_getLogs`, checked against the question (the contract, the event, the blocks), in ascending order
 * by block and index. A log that came twice is taken once. An answer that contradicts itself is refused whole: two
 * logs at one place, two hashes for one block, one hash for two.
 * @throws MalformedAnswerError that names the field and, where it can be read, the block.
 */
export function parseLogs(result: unknown, filter: LogFilter): RawLog[] {
  if (!Array.isArray(result)) throw new MalformedAnswerError('the logs are not an array');
  const { also, blocks } = filter;
  const asked: EventFilter[] = also ? [filter, also] : [filter];
  const all = result.map((entry: unknown) => {
    const log = parseLog(entry);
    checkAsked(log, asked, blocks);
    return log;
  });
  const logs = also ? all.filter((log) => isOf(log, filter) || isOf(log, also)) : all;
  if (!logs.every((log, index) => index === 0 || comparePlaces(logs[index - 1] ?? log, log) < 0))
    logs.sort(comparePlaces);
  const kept: RawLog[] = [];
  for (const log of logs) {
    const before = kept.at(-1);
    if (!before || !isCopy(before, log)) kept.push(log);
    else if (before.blockTimestampMs !== log.blockTimestampMs)
      kept.splice(-1, 1, { ...before, blockTimestampMs: null });
  }
  return kept;
}

/** By block and index. */
export function comparePlaces(a: RawLog, b: RawLog): number {
  return a.blockNumber - b.blockNumber || a.logIndex - b.logIndex;
}

function parseLog(entry: unknown): RawLog {
  if (typeof entry !== 'object' || entry === null) throw new MalformedAnswerError('a log is not an object');
  const log = entry as Readonly<Record<string, unknown>>;
  const blockNumber = parseQuantity(log['blockNumber'], 'blockNumber of a log', MAX_BLOCK);
  const field = (name: string) => `${name} of a log of block ${blockNumber}`;
  const topics = log['topics'];
  if (!Array.isArray(topics) || topics.length > 4) throw new MalformedAnswerError(`${field('topics')} are not up to 4`);
  if (log['removed'] === true) throw new MalformedAnswerError(`${field('removed')} is true`);
  return {
    address: parseAddress(log['address'], field('address')),
    topics: topics.map((topic: unknown) => parseHash(topic, field('topics'))),
    data: parseBytes(log['data'], field('data')),
    blockNumber,
    blockHash: parseHash(log['blockHash'], field('blockHash')),
    blockTimestampMs: timeOrNull(log['blockTimestamp']),
    transactionHash: parseHash(log['transactionHash'], field('transactionHash')),
    logIndex: parseQuantity(log['logIndex'], field('logIndex'), MAX_LOG_INDEX),
  };
}

/** Some nodes leave it out, some always give 0. */
function timeOrNull(value: unknown): number | null {
  try {
    return parseSecondsAsMs(value, 'blockTimestamp') || null;
  } catch (thrown) {
    if (thrown instanceof MalformedAnswerError) return null;
    throw thrown;
  }
}

function isOf(log: RawLog, { address, topic0 }: EventFilter): boolean {
  return isAmong(log.topics[0], topic0) && hasAddress(log, address);
}

function hasAddress(log: RawLog, address: EventFilter['address']): boolean {
  return address === undefined || isAmong(log.address, address);
}

function checkAsked(log: RawLog, events: readonly EventFilter[], blocks: LogFilter['blocks']): void {
  const { blockNumber } = log;
  if (!events.some(({ address }) => hasAddress(log, address)))
    throw new MalformedAnswerError(`address of a log of block ${blockNumber} is another`);
  if (!events.some(({ topic0 }) => isAmong(log.topics[0], topic0)))
    throw new MalformedAnswerError(`topics of a log of block ${blockNumber} are of another event`);
  const asked =
    'hash' in blocks ? log.blockHash === blocks.hash : blockNumber >= blocks.from && blockNumber <= blocks.to;
  if (!asked) throw new MalformedAnswerError(`a log of block ${blockNumber} was not asked for`);
}

function isAmong(value: Hex | undefined, asked: Hex | readonly Hex[]): boolean {
  return typeof asked === 'string' ? value === asked : value !== undefined && asked.includes(value);
}

/** @throws MalformedAnswerError when the two cannot both be on one chain. */
function isCopy(before: RawLog, log: RawLog): boolean {
  const { blockNumber, logIndex } = log;
  const sameBlock = before.blockNumber === blockNumber;
  if (sameBlock !== (before.blockHash === log.blockHash))
    throw new MalformedAnswerError(
      sameBlock
        ? `blockHash of the logs of block ${blockNumber} is not one`
        : `blockHash of the logs of blocks ${before.blockNumber} and ${blockNumber} is the same`,
    );
  if (!sameBlock || before.logIndex !== logIndex) return false;
  if (sameContent(before, log)) return true;
  throw new MalformedAnswerError(`logIndex ${logIndex} of block ${blockNumber} is that of two logs`);
}

function sameContent(a: RawLog, b: RawLog): boolean {
  return (
    a.address === b.address &&
    a.transactionHash === b.transactionHash &&
    a.topics.join() === b.topics.join() &&
    a.data.equals(b.data)
  );
}
