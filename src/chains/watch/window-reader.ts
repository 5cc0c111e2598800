import type { QuarantineEntry } from '../../model/records.js';
import { ChainMovedError } from '../chain-errors.js';
import { isTooMuch, type RangeReaderOptions } from '../logs/range-reader.js';
import type { RangeSize } from '../logs/range-size.js';
import { type LogReadings, readLogs } from '../logs/read-logs.js';
import { comparePlaces, type RawLog } from '../rpc/raw-log.js';
import { RpcError } from '../rpc/rpc-errors.js';
import type { RpcNode } from '../rpc/rpc-node.js';
import type { HeaderChain } from './header-chain.js';
import type { BlockRange } from './known-records.js';

/** The records of blocks of the window. */
export interface WindowReading extends LogReadings {
  /** Index of the URL. */
  readonly url: number;
}

/**
 * Reads the logs of known blocks and holds them against those blocks: a log of another block means that the chain
 * moved, a block whose bloom holds more than was returned is asked about elsewhere.
 */
export class WindowReader {
  readonly #chain: string;
  readonly #options: RangeReaderOptions;
  readonly #size: RangeSize;
  #quarantined = new Set<string>();

  constructor({
    chain,
    size,
    options,
  }: {
    readonly chain: string;
    readonly size: RangeSize;
    readonly options: RangeReaderOptions;
  }) {
    this.#chain = chain;
    this.#options = options;
    this.#size = size;
  }

  /** @throws ChainMovedError, RpcError */
  async read(
    node: RpcNode,
    headers: HeaderChain,
    ranges: readonly BlockRange[],
    signal: AbortSignal,
  ): Promise<WindowReading> {
    const all: RawLog[] = [];
    const told = this.#options.trace?.(ranges[0]?.from ?? 0, ranges.at(-1)?.to ?? 0);
    for (const range of ranges) {
      const logs = await this.#logs(node, range.from, range.to);
      for (const { blockNumber, blockHash } of logs) {
        const block = headers.at(blockNumber);
        if (block?.hash !== blockHash)
          throw new ChainMovedError(this.#chain, `a log is of another block ${blockNumber}`);
        if (block.hasBloom) this.#options.blooms.noteMessage(block.mayHoldMessage);
      }
      all.push(...logs, ...(await this.#askSilent(node, headers, range, logs, signal)));
    }
    all.sort(comparePlaces);
    const timeOf = ({ blockNumber }: RawLog) => headers.at(blockNumber)?.timestampMs ?? 0;
    const readings = readLogs(all, timeOf, this.#options.context);
    told?.(readings.messages.map(({ messageId }) => messageId));
    return { ...readings, url: node.index };
  }

  /** The entries that are not stored yet. */
  newQuarantine(entries: readonly QuarantineEntry[]): readonly QuarantineEntry[] {
    return entries.filter(({ key }) => !this.#quarantined.has(key));
  }

  /** These entries are stored. */
  noteQuarantined(entries: readonly QuarantineEntry[]): void {
    for (const { key } of entries) this.#quarantined.add(key);
  }

  /** Forgets entries of blocks that have left the window. */
  prune(headers: HeaderChain): void {
    if (this.#quarantined.size === 0) return;
    const { base, tip } = headers;
    const hashes = new Set<string>(headers.between(base.number + 1, tip.number).map(({ hash }) => hash));
    this.#quarantined = new Set([...this.#quarantined].filter((key) => hashes.has(key.slice(0, key.indexOf(':')))));
  }

  async #logs(node: RpcNode, from: number, to: number): Promise<RawLog[]> {
    const logs: RawLog[] = [];
    for (let next = from; next <= to; ) {
      const end = Math.min(to, next + this.#size.blocks - 1);
      const blocks = end - next + 1;
      try {
        const part = await node.logs({ ...this.#options.filter, blocks: { from: next, to: end } });
        this.#size.grow(blocks, part.length);
        logs.push(...part);
        next = end + 1;
      } catch (thrown) {
        if (!(thrown instanceof RpcError)) throw thrown;
        this.#size.shrink(blocks);
        if (blocks === 1 || !isTooMuch(thrown)) throw thrown;
      }
    }
    return logs;
  }

  #askSilent(
    node: RpcNode,
    headers: HeaderChain,
    { from, to }: BlockRange,
    logs: readonly RawLog[],
    signal: AbortSignal,
  ): Promise<readonly RawLog[]> {
    const loud = new Set(logs.map(({ blockHash }) => blockHash));
    const suspects = headers.between(from, to).filter(({ hash, mayHoldMessage }) => mayHoldMessage && !loud.has(hash));
    return this.#options.askSilent(node, suspects, signal);
  }
}
