import type { Hex } from '../core/hex.js';
import { ChainMovedError } from './chain-errors.js';
import type { QuarantinedLog } from './chain-port.js';
import type { HeaderChain } from './header-chain.js';
import { type ChainMessage, type LogReading, readMessageSentLog } from './message-sent-log.js';
import { logKey } from './quarantine.js';
import { isTooMuch } from './range-pipeline.js';
import type { RangeReaderOptions } from './range-reader.js';
import type { RangeSize } from './range-size.js';
import { contentDigest, type RawLog } from './raw-log.js';
import { RpcError } from './rpc-errors.js';
import type { RpcNode } from './rpc-node.js';

/** All that the window holds now. */
export interface WindowReading {
  readonly messages: readonly ChainMessage[];
  readonly quarantine: readonly QuarantinedLog[];
  /** All logs, key → block number. */
  readonly logs: ReadonlyMap<string, number>;
  /** Index of the URL. */
  readonly url: number;
}

/**
 * Reads the logs of the known blocks anew at each call, and holds them against those blocks: a log of another block
 * means that the chain moved, a block whose bloom holds more than was returned is asked about elsewhere. Remembers how a
 * log of a block was read and which silent blocks were asked about, for as long as the block is in the window.
 */
export class WindowReader {
  readonly #chain: string;
  readonly #options: RangeReaderOptions;
  readonly #size: RangeSize;
  #readings = new Map<string, { readonly digest: string; readonly reading: LogReading }>();
  #silent = new Set<Hex>();
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
  async read(node: RpcNode, headers: HeaderChain, to: number, signal: AbortSignal): Promise<WindowReading> {
    const logs = await this.#logs(node, headers.anchor.number + 1, to);
    for (const { blockNumber, blockHash } of logs)
      if (headers.at(blockNumber)?.hash !== blockHash)
        throw new ChainMovedError(this.#chain, `a log is of another block ${blockNumber}`);
    const found = await this.#askSilent(node, headers, to, logs, signal);
    const all = [...logs, ...found];
    for (const { blockNumber } of logs)
      this.#options.blooms.noteMessage(headers.at(blockNumber)?.mayHoldMessage ?? false);
    const keys = new Map(all.map((log) => [logKey(log), log.blockNumber]));
    return { ...this.#interpret(all, headers), logs: keys, url: node.index };
  }

  /** What of `entries` has not been stored yet. */
  newQuarantine(entries: readonly QuarantinedLog[]): readonly QuarantinedLog[] {
    return entries.filter(({ key }) => !this.#quarantined.has(key));
  }

  /** These entries are stored. */
  noteQuarantined(entries: readonly QuarantinedLog[]): void {
    for (const { key } of entries) this.#quarantined.add(key);
  }

  /** Forgets what is no longer in the window. */
  prune(headers: HeaderChain): void {
    const hashes = new Set<string>(headers.through(headers.tip.number).map(({ hash }) => hash));
    const inWindow = (key: string) => hashes.has(key.slice(0, key.indexOf(':')));
    this.#silent = new Set([...this.#silent].filter((hash) => hashes.has(hash)));
    this.#quarantined = new Set([...this.#quarantined].filter(inWindow));
    this.#readings = new Map([...this.#readings].filter(([key]) => inWindow(key)));
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

  async #askSilent(
    node: RpcNode,
    headers: HeaderChain,
    to: number,
    logs: readonly RawLog[],
    signal: AbortSignal,
  ): Promise<readonly RawLog[]> {
    const loud = new Set(logs.map(({ blockHash }) => blockHash));
    const suspects = headers
      .through(to)
      .filter(({ hash, mayHoldMessage }) => mayHoldMessage && !loud.has(hash) && !this.#silent.has(hash));
    const found = await this.#options.askSilent(node, suspects, signal);
    const answered = new Set(found.map(({ blockHash }) => blockHash));
    for (const { hash } of suspects) if (!answered.has(hash)) this.#silent.add(hash);
    return found;
  }

  #interpret(logs: readonly RawLog[], headers: HeaderChain): Pick<WindowReading, 'messages' | 'quarantine'> {
    const messages: ChainMessage[] = [];
    const quarantine: QuarantinedLog[] = [];
    for (const log of logs) {
      const reading = this.#reading(log, headers.at(log.blockNumber)?.timestampMs ?? 0);
      if (reading.kind === 'message') messages.push(reading.message);
      else quarantine.push(reading.entry);
    }
    messages.sort(
      (a, b) => Number(a.origin.blockNumber - b.origin.blockNumber) || a.origin.logIndex - b.origin.logIndex,
    );
    return { messages, quarantine };
  }

  #reading(log: RawLog, timestampMs: number): LogReading {
    const key = logKey(log);
    const known = this.#readings.get(key);
    // a node may have told of another log at this place, once
    const digest = contentDigest(log);
    if (known?.digest === digest) return known.reading;
    const reading = readMessageSentLog(log, timestampMs, this.#options.context);
    this.#readings.set(key, { digest, reading });
    return reading;
  }
}
