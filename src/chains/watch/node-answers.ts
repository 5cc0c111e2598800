import type { Hex } from '../../core/hex.js';
import { executionIdentity } from '../../model/identity.js';
import type { Execution, LogPlace, MessageOrigin, NewMessage, QuarantineEntry } from '../../model/records.js';
import type { ChainBlooms } from '../logs/log-bloom.js';
import { isTooMuch, type RangeReaderOptions, type RangeReading, readRange } from '../logs/range-reader.js';
import type { RangeSize } from '../logs/range-size.js';
import { RpcError, RpcTimeoutError } from '../rpc/rpc-errors.js';
import type { RpcNode } from '../rpc/rpc-node.js';
import type { Stretch } from './vouched-blocks.js';

/** The answer of one node about a stretch of finalized blocks. */
export interface NodeAnswer {
  readonly url: number;
  /** Hash of the last block. */
  readonly hash: Hex;
  /** The logs that are records, key → block number. */
  readonly logs: ReadonlyMap<string, number>;
  /** Those of them that are not stored yet. */
  readonly messages: readonly NewMessage<MessageOrigin>[];
  readonly executions: readonly Execution[];
  readonly quarantine: readonly QuarantineEntry[];
}

/** The answers of several nodes, held against each other and against the store. */
export interface Comparison {
  /** Null when no answer counts. */
  readonly hash: Hex | null;
  /** The nodes whose answers count. */
  readonly urls: readonly number[];
  /** The messages that one of them told and that are not stored yet. */
  readonly messages: readonly NewMessage<MessageOrigin>[];
  /** The same of executions. */
  readonly executions: readonly Execution[];
  readonly quarantine: readonly QuarantineEntry[];
  /** Nodes that left out logs which another node told. */
  readonly leftOut: readonly { readonly url: number; readonly logs: readonly string[] }[];
  /** Answers with another last block. They do not count; none does where the right block is not known. */
  readonly elsewhere: readonly NodeAnswer[];
}

/**
 * Reads a stretch from one node, in ranges that the node takes. A log that is not stored yet must be of the block that
 * the node itself has at that height: some keep logs of blocks that were reorged out.
 * @throws RpcError
 */
export async function readAnswer(
  node: RpcNode,
  stretch: Stretch,
  size: RangeSize,
  options: RangeReaderOptions,
  signal: AbortSignal,
): Promise<NodeAnswer> {
  const readings: RangeReading[] = [];
  let hash: Hex | null = null;
  for (let from = stretch.from; from <= stretch.to; ) {
    const to = Math.min(stretch.to, from + size.blocks - 1);
    try {
      const reading = await readRange(node, { from, to, checkSilence: false }, options, signal);
      if (hash !== null && hash !== reading.parentHash)
        throw node.invalid(`finalized block ${from} does not follow block ${from - 1}`);
      size.grow(to - from + 1, reading.logCount);
      readings.push(reading);
      hash = reading.hash;
      from = to + 1;
    } catch (thrown) {
      if (!(thrown instanceof RpcError)) throw thrown;
      size.shrink(to - from + 1);
      // a silent node is not asked a dozen times in halves: the next attempt is smaller
      if (from === to || thrown instanceof RpcTimeoutError || !isTooMuch(thrown)) throw thrown;
    }
  }
  if (hash === null) throw node.invalid(`no answer for blocks ${stretch.from} to ${stretch.to}`);
  const messages = readings.flatMap((reading) => reading.messages);
  const executions = readings.flatMap((reading) => reading.executions);
  const places = [...messages.map(({ origin }) => origin), ...executions.map(({ place }) => place)];
  await checkBlocks(node, places, options.blooms);
  return {
    url: node.index,
    hash,
    logs: new Map(readings.flatMap(({ logs }) => [...logs])),
    messages,
    executions,
    quarantine: readings.flatMap((reading) => reading.quarantine),
  };
}

async function checkBlocks(node: RpcNode, places: readonly LogPlace[], blooms: ChainBlooms): Promise<void> {
  const hashes = new Map(places.map(({ blockNumber, blockHash }) => [Number(blockNumber), blockHash]));
  const numbers = [...hashes.keys()];
  if (numbers.length === 0) return;
  for (const [index, header] of (await node.headers(numbers)).entries()) {
    const number = numbers[index] ?? 0;
    if (!header) throw node.missing(number);
    if (header.hash !== hashes.get(number))
      throw node.invalid(`a log of finalized block ${number} is of another block`);
    if (header.logsBloom !== null) blooms.noteMessage(blooms.mayHoldMessage(header.logsBloom));
  }
}

/** Holds answers against each other. Where the last hash of the stretch is not known, the answers must agree on it. */
export function compareAnswers(stretch: Stretch, answers: readonly NodeAnswer[]): Comparison {
  const expected = stretch.hash ?? answers[0]?.hash ?? null;
  const agreeing = answers.filter(({ hash }) => hash === expected);
  const counted = stretch.hash === null && agreeing.length < answers.length ? [] : agreeing;
  const all = new Set([...(stretch.logs?.keys() ?? []), ...counted.flatMap(({ logs }) => [...logs.keys()])]);
  const without = (logs: ReadonlyMap<string, number>) => [...all].filter((key) => !logs.has(key));
  const told = stretch.logs ? [...stretch.urls].map((url) => ({ url, logs: stretch.logs ?? new Map() })) : [];
  return {
    hash: counted.length > 0 ? expected : null,
    urls: counted.map(({ url }) => url),
    messages: firstOfEach(
      counted.flatMap(({ messages }) => messages),
      ({ messageId }) => messageId,
    ),
    executions: firstOfEach(
      counted.flatMap(({ executions }) => executions),
      executionIdentity,
    ),
    quarantine: firstOfEach(
      counted.flatMap(({ quarantine }) => quarantine),
      ({ key }) => key,
    ),
    leftOut: [...told, ...counted]
      .map(({ url, logs }) => ({ url, logs: without(logs) }))
      .filter(({ logs }) => logs.length > 0),
    elsewhere: answers.filter(({ hash }) => hash !== expected),
  };
}

function firstOfEach<T>(items: readonly T[], identity: (item: T) => string): readonly T[] {
  return [...new Map([...items].reverse().map((item) => [identity(item), item])).values()].reverse();
}
