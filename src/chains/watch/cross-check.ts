import { type Alarm, createAlarm } from '../../core/alarm.js';
import { backoffMs } from '../../core/backoff.js';
import type { Common } from '../../core/common.js';
import type { Hex } from '../../core/hex.js';
import { createRareWarning, type RareWarning } from '../../core/rare-warning.js';
import type { CursorMove, WriteBatch } from '../../model/batch.js';
import { type ChainMetrics, observeCommit } from '../chain-metrics.js';
import type { BatchWriter, ChainCursor, ChainStore } from '../chain-port.js';
import type { RangeReaderOptions } from '../logs/range-reader.js';
import { createRangeSize, type RangeSize } from '../logs/range-size.js';
import { RpcError, RpcInvalidAnswerError, RpcRateLimitedError, RpcTimeoutError } from '../rpc/rpc-errors.js';
import type { RpcNode } from '../rpc/rpc-node.js';
import type { RpcPool } from '../rpc/rpc-pool.js';
import { confirmedSourceId } from '../source-ids.js';
import type { CrossCheckStatus } from './chain-status.js';
import type { Anchor } from './header-chain.js';
import { compareAnswers, type NodeAnswer, readAnswer } from './node-answers.js';
import { isEmpty } from './record-batch.js';
import { type Stretch, UNKNOWN, VouchedBlocks } from './vouched-blocks.js';
import { rampsOf, type WatchedChain } from './watched-chain.js';

/** The parts of a cross-check. */
export interface CrossCheckOptions {
  readonly chain: WatchedChain;
  readonly rpc: RpcPool;
  readonly store: ChainStore;
  readonly writer: BatchWriter;
  readonly reading: RangeReaderOptions;
  readonly metrics: ChainMetrics;
  readonly common: Common;
  /** How often the confirmed block is stored when there are no logs to go with it, in ms. */
  readonly storeEveryMs: number;
}

/** Pauses before the same blocks are asked about again, after a node could not answer for them. */
const REFUSED = { baseMs: 2_000, maxMs: 300_000 };
const RETRY = { baseMs: 250, maxMs: 15_000 };
/** How often it is looked whether a node that was away can be asked. */
const IDLE_MS = 1_000;
const TARGET_LOGS = 1_000;
/** For how long a node is believed to be on the chain that is stored. */
const PROOF_MS = 10_000;

/**
 * Has finalized blocks that one node has answered for confirmed by the others: their logs are read from every other
 * node that can be reached, and a log that only one of them tells is stored. A log counts when one node tells it: to
 * believe a silence can lose a message, to believe a log that is none costs a message that no CCV verifies.
 *
 * The watcher notes the blocks that it has stored and goes on; the cross-check follows at its own pace, so that a
 * slow or absent second node holds nothing up. The last block below which everything is confirmed is a cursor of its
 * own, moved in the commit of the logs that were found: after a restart the blocks above it are read again. Blocks
 * that a second node cannot answer for, because it was away or does not keep them, are asked about again and again,
 * with growing pauses.
 *
 * With `CrossCheck = false` blocks that a node alone vouched for are read again from others when that node is found
 * lying.
 */
export class CrossCheck {
  readonly #options: CrossCheckOptions;
  readonly #isOn: boolean;
  readonly #alarm: Alarm;
  readonly #warn: RareWarning;
  readonly #sizes = new Map<number, RangeSize>();
  /** Through which block each node was on the chain that is stored, and when. */
  readonly #proofs = new Map<number, { readonly number: number; readonly atMs: number }>();
  #blocks: VouchedBlocks | null = null;
  /** As stored, by ramp; null while that is not certain. */
  #stored: ReadonlyMap<Hex, ChainCursor | null> | null = null;
  #storedAtMs = Number.NEGATIVE_INFINITY;
  #requests = 0;
  #foundLogs = 0;

  constructor(options: CrossCheckOptions) {
    this.#options = options;
    this.#alarm = createAlarm(options.common.clock);
    this.#warn = createRareWarning(options.common);
    this.#isOn = (options.chain.crossCheck ?? true) && options.rpc.urlCount > 1;
    options.metrics.crossChecked.set({ chain: options.chain.name }, this.#isOn ? 1 : 0);
  }

  /**
   * Reads from the store up to where blocks are confirmed. The watcher is done with all blocks through `anchor`;
   * `isSetBack`: it was done with more.
   */
  async load(anchor: Anchor, isSetBack: boolean): Promise<void> {
    const { chain, rpc, store } = this.#options;
    const confirmed = await store.confirmed();
    if (this.#blocks && !isSetBack) return;
    this.#stored = null;
    // for all ramps only as far as for the one that is least far
    const [watermark] = rampsOf(chain)
      .map(({ address, startBlock }) => {
        const cursor = confirmed.get(address);
        return cursor
          ? { number: Number(cursor.height), hash: cursor.hash }
          : { number: Math.min(anchor.number, startBlock - 1), hash: null };
      })
      .sort((a, b) => a.number - b.number);
    if (!watermark) return;
    this.#blocks = new VouchedBlocks({
      crossCheck: this.#isOn,
      urlCount: rpc.urlCount,
      maxBlocks: chain.maxBlockRange,
      watermark,
    });
    this.#blocks.note({ from: watermark.number + 1, to: anchor.number, ...UNKNOWN, hash: anchor.hash });
    this.#changed();
  }

  /** The logs of these finalized blocks are stored. */
  note(stretch: Stretch): void {
    // one node alone is never asked again
    this.#blocks?.note(this.#options.rpc.urlCount > 1 ? stretch : { ...stretch, logs: null });
    this.#changed();
  }

  /** A node left out logs that another has. */
  foundLying(url: number): void {
    if (!this.#blocks?.foundLying(url)) return;
    const { common, chain } = this.#options;
    const { unconfirmedBlocks } = this.#blocks;
    common.log.warn(
      { chain: chain.name, url, unconfirmedBlocks },
      'an RPC node left out logs: blocks that it alone vouched for are read again from others',
    );
    this.#changed();
  }

  status(): CrossCheckStatus {
    const blocks = this.#blocks;
    return {
      state: this.#isOn ? 'on' : this.#options.rpc.urlCount > 1 ? 'off' : 'oneUrl',
      confirmedBlock: blocks && blocks.watermark.number >= 0 ? blocks.watermark.number : null,
      unconfirmedBlocks: blocks?.unconfirmedBlocks ?? 0,
      requests: this.#requests,
      foundLogs: this.#foundLogs,
      lyingUrls: blocks?.lying ?? [],
      blooms: this.#options.reading.blooms.worth,
    };
  }

  /** Works until `signal` aborts. Failures of nodes and of the store are retried for ever. */
  async run(signal: AbortSignal): Promise<void> {
    const { chain, rpc, common } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      try {
        const nodes = rpc.reachable(signal);
        const urls = nodes.map(({ index }) => index);
        const stretch = this.#blocks?.next(common.clock.monotonicMs(), urls);
        if (stretch) await this.#ask(stretch, nodes, signal);
        else {
          await this.#store({});
          await this.#alarm.pause(IDLE_MS, signal);
        }
        failures = 0;
      } catch (thrown) {
        if (signal.aborted) break;
        common.log.warn({ chain: chain.name, err: thrown }, 'the cross-check failed, trying again');
        await this.#alarm.pause(backoffMs(RETRY, failures++, common.random), signal);
      }
    }
  }

  async #ask(stretch: Stretch, nodes: readonly RpcNode[], signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options.common;
    const others = nodes.filter(({ index }) => !stretch.urls.has(index));
    // where the hash of the last block is not known the nodes have to agree on it
    const asked = stretch.hash === null ? nodes : others;
    const answers = await Promise.all(asked.map((node) => this.#answer(node, stretch, signal)));
    const given = answers.filter((answer) => answer !== null);
    const compared = compareAnswers(stretch, given);
    for (const { url, logs } of compared.leftOut) this.#report(url, logs);
    if (compared.elsewhere.length > 0) this.#reportHashes(stretch, given);
    const leftOut = new Set(compared.leftOut.flatMap(({ logs }) => logs));
    this.#foundLogs += [...leftOut].filter((key) => !stretch.logs?.has(key)).length;
    const { messages, executions, quarantine } = compared;
    await this.#store({ messages, executions, quarantine });
    if (compared.hash !== null) this.#blocks?.vouched(stretch, compared.urls, compared.hash);
    this.#blocks?.defer(stretch, clock.monotonicMs(), (failures) => backoffMs(REFUSED, failures, random));
    this.#show();
  }

  /** Null when the node cannot answer. */
  async #answer(node: RpcNode, stretch: Stretch, signal: AbortSignal): Promise<NodeAnswer | null> {
    const { chain, rpc, reading, metrics } = this.#options;
    try {
      const options = stretch.logs ? { ...reading, stored: stretch.logs } : reading;
      if (stretch.hash === null) await this.#checkChain(node, stretch.to);
      return await readAnswer(node, stretch, this.#sizeOf(node), options, signal);
    } catch (thrown) {
      if (!(thrown instanceof RpcError)) throw thrown;
      if (thrown instanceof RpcTimeoutError || thrown instanceof RpcRateLimitedError) rpc.blame(thrown);
      const { from, to } = stretch;
      this.#warn({ chain: chain.name, url: node.index, from, to, err: thrown }, 'an RPC node did not confirm blocks');
      return null;
    } finally {
      this.#requests += node.requests;
      metrics.crossCheckRequests.inc({ chain: chain.name }, node.requests);
    }
  }

  /** Where the last hash of a stretch is not known, a node on a fork of finalized blocks shows by a later one. */
  async #checkChain(node: RpcNode, block: number): Promise<void> {
    const known = this.#blocks?.knownFrom(block);
    const atMs = this.#options.common.clock.monotonicMs();
    const proof = this.#proofs.get(node.index);
    if (!known || (proof && proof.number >= known.number && atMs - proof.atMs < PROOF_MS)) return;
    const [header] = await node.headers([known.number]);
    if (!header) throw node.missing(known.number);
    if (header.hash !== known.hash)
      throw node.invalid(`finalized block ${known.number} is ${header.hash}, and ${known.hash} is stored`);
    this.#proofs.set(node.index, { number: known.number, atMs });
  }

  #sizeOf({ index }: RpcNode): RangeSize {
    const known = this.#sizes.get(index);
    if (known) return known;
    const { maxBlockRange } = this.#options.chain;
    const size = createRangeSize({ maxBlocks: maxBlockRange, targetLogs: TARGET_LOGS, onChange: () => undefined });
    this.#sizes.set(index, size);
    return size;
  }

  /** Stores logs, and the confirmed block with them. That alone is stored now and then. */
  async #store(found: Pick<WriteBatch, 'messages' | 'executions' | 'quarantine'>): Promise<void> {
    const { chain, store, writer, metrics, common, storeEveryMs } = this.#options;
    const nowMs = common.clock.monotonicMs();
    const isNothing = isEmpty(found);
    if (!this.#blocks || (isNothing && nowMs - this.#storedAtMs < storeEveryMs)) return;
    const { number, hash } = this.#blocks.watermark;
    this.#stored ??= await store.confirmed();
    const confirmed = hash === null ? null : { height: BigInt(number), hash };
    const before = this.#stored;
    const cursors = confirmed === null ? [] : movesTo(confirmed, before, chain.selector);
    if (isNothing && cursors.length === 0) return;
    this.#stored = null;
    const batch = { ...found, cursors };
    observeCommit(metrics, { chain: chain.name, clock: common.clock }, batch, await writer.insertBatch(batch));
    this.#stored =
      confirmed === null
        ? before
        : new Map([...before].map(([ramp, cursor]) => [ramp, isBelow(cursor, confirmed) ? confirmed : cursor]));
    this.#storedAtMs = nowMs;
  }

  #report(url: number, logs: readonly string[]): void {
    const { chain, rpc, metrics } = this.#options;
    metrics.missingLogs.inc({ chain: chain.name, url: String(url) }, logs.length);
    this.#warn({ chain: chain.name, url, logs: logs.slice(0, 10) }, 'an RPC node left logs out of its answer');
    rpc.blame(new RpcInvalidAnswerError({ chain: chain.name, url }, 'logs were left out that another node has'));
    this.foundLying(url);
  }

  #reportHashes({ to, hash: stored }: Stretch, answers: readonly NodeAnswer[]): void {
    const { chain } = this.#options;
    const hashes = answers.map(({ url, hash }) => ({ url, hash }));
    this.#warn({ chain: chain.name, block: to, stored, hashes }, 'RPC nodes differ about a finalized block');
  }

  #show(): void {
    const { metrics, chain } = this.#options;
    const { confirmedBlock, unconfirmedBlocks } = this.status();
    if (confirmedBlock !== null) metrics.confirmedBlock.set({ chain: chain.name }, confirmedBlock);
    metrics.unconfirmedBlocks.set({ chain: chain.name }, unconfirmedBlocks);
  }

  #changed(): void {
    this.#show();
    this.#alarm.wake();
  }
}

/** The moves of the confirmed blocks that are below `to`. */
function movesTo(
  to: ChainCursor,
  stored: ReadonlyMap<Hex, ChainCursor | null>,
  selector: bigint,
): readonly CursorMove[] {
  return [...stored]
    .filter(([, cursor]) => isBelow(cursor, to))
    .map(([ramp, cursor]) => ({
      sourceId: confirmedSourceId(selector, ramp),
      ...to,
      expectedHeight: cursor?.height ?? null,
    }));
}

function isBelow(cursor: ChainCursor | null, { height }: ChainCursor): boolean {
  return cursor === null || cursor.height < height;
}
