import { type Backoff, backoffMs } from '../../../src/core/backoff.js';
import type { Common } from '../../../src/core/common.js';
import { ClosedError, IndexerError, toError } from '../../../src/core/errors.js';
import type { Hex } from '../../../src/core/hex.js';
import { type Random, seededRandom } from '../../../src/core/random.js';
import { DevnetTransactionError } from '../anvil/devnet-errors.js';
import { createJsonRpc } from '../anvil/json-rpc.js';
import { type AccountSender, createAccountSender, type MinedTransaction } from './account-sender.js';
import { type ContractLibrary, createContractLibrary } from './contracts.js';
import { MESSAGE_SENT_TOPIC } from './events.js';
import { devnetAccount } from './keys.js';
import type { ChainDeployment, DevnetChain, LaneDeployment } from './lane-deployment.js';
import { KIND_WEIGHTS, MESSAGE_KINDS, type MessageKind, messageCall } from './message-kinds.js';

/** A message that is in a block of its source chain. */
export interface SentMessage {
  readonly messageId: Hex;
  /** `A→B`, by chain names. */
  readonly lane: string;
  readonly kind: MessageKind;
  readonly sourceChainSelector: bigint;
  readonly destChainSelector: bigint;
  readonly blockNumber: bigint;
  readonly transactionHash: Hex;
  /** When the sender submitted it, unix ms. */
  readonly sentMs: number;
  /** When the sender saw it in a block, unix ms. */
  readonly minedMs: number;
}

/** Which way a message goes: from the chain at this place in the deployment to the other one. */
export type Direction = 0 | 1;

/** Messages through the real router and OnRamp. */
export interface Traffic {
  /**
   * Sends one message and resolves when it is in a block.
   * @throws DevnetTransactionError when it reverts or is lost in a reorg, ClosedError after `close`.
   */
  send(kind: MessageKind, direction?: Direction): Promise<SentMessage>;
  /** Begins to send at the rate, until `stop`. */
  start(): void;
  /** Sends no more, and resolves when everything submitted is in a block or has failed. */
  stop(): Promise<void>;
  /** `stop`, without waiting for blocks: transactions that are not mined are given up. Idempotent. */
  close(): Promise<void>;
  /** Counts of the steady traffic so far. */
  counts(): { readonly submitted: number; readonly sent: number; readonly failed: number };
}

/** Dependencies of the traffic. */
export interface TrafficOptions {
  readonly common: Common;
  readonly deployment: LaneDeployment;
  readonly chains: readonly DevnetChain[];
  /** Messages per second over both directions, for `start`. */
  readonly ratePerSecond: number;
  /** The same seed draws the same messages in the same order. */
  readonly seed: number;
  /** Kinds to draw from, by weight. Defaults to all. */
  readonly kinds?: readonly MessageKind[];
  readonly library?: ContractLibrary;
  /** Told of each message once it is in a block. */
  readonly onSent?: (message: SentMessage) => void;
}

/** Beyond this many messages that are not mined yet the traffic waits: a chain that stands still is not flooded. */
const MAX_UNMINED = 500;
const RETRY: Backoff = { baseMs: 100, maxMs: 2_000 };
const MAX_ATTEMPTS = 5;

interface Side {
  readonly chain: ChainDeployment;
  readonly sender: AccountSender;
}

class LaneTraffic implements Traffic {
  readonly #options: TrafficOptions;
  readonly #library: ContractLibrary;
  readonly #random: Random;
  readonly #sides: readonly [Side, Side];
  readonly #abort = new AbortController();
  readonly #unmined = new Set<Promise<void>>();
  #loop: Promise<void> | null = null;
  #submitted = 0;
  #sent = 0;
  #failed = 0;

  constructor(options: TrafficOptions) {
    const [first, second] = options.deployment.chains;
    this.#options = options;
    this.#library = options.library ?? createContractLibrary();
    this.#random = seededRandom(options.seed);
    this.#sides = [this.#side(first), this.#side(second)];
  }

  async send(kind: MessageKind, direction: Direction = 0): Promise<SentMessage> {
    const source = this.#sides[direction];
    const dest = this.#sides[direction === 0 ? 1 : 0].chain;
    const sentMs = this.#options.common.clock.nowMs();
    const call = messageCall(this.#library, source.chain, dest, kind, this.#random);
    const mined = await this.#untilMined(() => source.sender.send(call));
    return {
      messageId: messageIdOf(mined, source.chain),
      lane: `${source.chain.name}→${dest.name}`,
      kind,
      sourceChainSelector: BigInt(source.chain.selector),
      destChainSelector: BigInt(dest.selector),
      blockNumber: mined.blockNumber,
      transactionHash: mined.hash,
      sentMs,
      minedMs: this.#options.common.clock.nowMs(),
    };
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#loop;
    await Promise.all(this.#unmined);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#sides.map(({ sender }) => sender.close()));
    await this.stop();
  }

  counts() {
    return { submitted: this.#submitted, sent: this.#sent, failed: this.#failed };
  }

  #side(chain: ChainDeployment): Side {
    const { common, chains } = this.#options;
    const reached = chains.find(({ chainId }) => chainId === chain.chainId);
    if (!reached) throw new IndexerError('DEVNET_CHAIN_UNKNOWN', `no URL was given for chain ${chain.name}`, false);
    const rpc = createJsonRpc(reached.url);
    const sender = createAccountSender({ common, rpc, chainId: chain.chainId, account: devnetAccount('sender') });
    return { chain, sender };
  }

  /** Sends on a fixed timetable, so that a slow block does not lower the rate. */
  async #run(): Promise<void> {
    const { common, ratePerSecond, kinds = MESSAGE_KINDS } = this.#options;
    const periodMs = 1_000 / ratePerSecond;
    let dueMs = common.clock.monotonicMs();
    while (!this.#abort.signal.aborted) {
      this.#submitted += 1;
      const sending = this.#sendOne(drawKind(kinds, this.#random), this.#random() < 0.5 ? 0 : 1);
      this.#unmined.add(sending);
      sending.then(() => this.#unmined.delete(sending));
      if (this.#unmined.size >= MAX_UNMINED) await Promise.race(this.#unmined);
      const nowMs = common.clock.monotonicMs();
      dueMs = Math.max(dueMs + periodMs, nowMs - 1_000); // at most a second is ever made up for
      // an abort ends the loop
      if (dueMs > nowMs) await common.clock.sleep(dueMs - nowMs, this.#abort.signal).catch(() => undefined);
    }
  }

  async #sendOne(kind: MessageKind, direction: Direction): Promise<void> {
    try {
      const message = await this.send(kind, direction);
      this.#sent += 1;
      this.#options.onSent?.(message);
    } catch (thrown) {
      if (thrown instanceof ClosedError) return;
      this.#failed += 1;
      this.#options.common.log.warn({ err: toError(thrown), kind }, 'message of the traffic was not sent');
    }
  }

  async #untilMined(send: () => Promise<MinedTransaction>): Promise<MinedTransaction> {
    const { clock, random } = this.#options.common;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await send();
      } catch (thrown) {
        const retryable = thrown instanceof IndexerError && thrown.retryable;
        if (!retryable || attempt === MAX_ATTEMPTS) throw thrown;
        await clock.sleep(backoffMs(RETRY, attempt, random));
      }
    }
  }
}

function messageIdOf(mined: MinedTransaction, source: ChainDeployment): Hex {
  const log = mined.logs.find(
    ({ address, topics }) => address === source.addresses.onRamp && topics[0] === MESSAGE_SENT_TOPIC,
  );
  const messageId = log?.topics[3];
  if (!mined.succeeded || messageId === undefined)
    throw new DevnetTransactionError('sending a message reverted', { details: { hash: mined.hash } });
  return messageId;
}

function drawKind(kinds: readonly MessageKind[], random: Random): MessageKind {
  const total = kinds.reduce((sum, kind) => sum + KIND_WEIGHTS[kind], 0);
  let left = random() * total;
  for (const kind of kinds) {
    left -= KIND_WEIGHTS[kind];
    if (left < 0) return kind;
  }
  return kinds[0] ?? 'data';
}

/** Prepares the traffic of a deployed lane. Nothing is sent before `send` or `start`. */
export function createTraffic(options: TrafficOptions): Traffic {
  return new LaneTraffic(options);
}
