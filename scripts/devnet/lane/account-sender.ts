import { setMaxListeners } from 'node:events';
import { keccak256 } from 'viem';
import type { PrivateKeyAccount } from 'viem/accounts';
import { type Backoff, backoffMs } from '../../../src/core/backoff.js';
import type { Common } from '../../../src/core/common.js';
import { ClosedError, type IndexerError, toError } from '../../../src/core/errors.js';
import type { Hex } from '../../../src/core/hex.js';
import { DevnetTransactionError } from '../anvil/devnet-errors.js';
import { type JsonRpc, JsonRpcError } from '../anvil/json-rpc.js';

/** A call to send. */
export interface OutgoingCall {
  readonly to: Hex;
  readonly data: Hex;
  readonly gas: bigint;
}

/** One log of a receipt, as the node gives it. */
export interface ReceiptLog {
  readonly address: Hex;
  readonly topics: readonly Hex[];
  readonly data: Hex;
  readonly logIndex: Hex;
}

/** A transaction that is in a block. It may have reverted. */
export interface MinedTransaction {
  readonly hash: Hex;
  readonly blockNumber: bigint;
  readonly blockHash: Hex;
  readonly succeeded: boolean;
  readonly logs: readonly ReceiptLog[];
}

/** Sends transactions of one account on one chain, in the order of the calls, without ever blocking on a nonce. */
export interface AccountSender {
  /**
   * Signs, sends and resolves once the transaction is in a block, reverted or not. Errors of the connection are waited
   * out; the same call is never mined twice.
   * @throws DevnetTransactionError when the node refuses it for good, or a reorg took its nonce from it (retryable).
   * @throws ClosedError when the sender was closed before the transaction was mined.
   */
  send(call: OutgoingCall): Promise<MinedTransaction>;
  /** Fails transactions that are not mined yet, and resolves when nothing runs any more. Idempotent. */
  close(): Promise<void>;
}

/** Dependencies of a sender. */
export interface AccountSenderOptions {
  readonly common: Common;
  readonly rpc: JsonRpc;
  readonly chainId: number;
  readonly account: PrivateKeyAccount;
  /** How often to look for new blocks while something waits for one. */
  readonly pollMs?: number;
}

interface Submitted {
  readonly hash: Hex;
  readonly nonce: number;
  readonly raw: Hex;
}

interface Waiting extends Submitted {
  blocksWaited: number;
  readonly resolve: (mined: MinedTransaction) => void;
  readonly reject: (error: IndexerError) => void;
}

const MAX_FEE_WEI = 10n ** 12n;
const RPC_BACKOFF: Backoff = { baseMs: 50, maxMs: 2_000 };
const REFUSALS_BEFORE_GIVING_UP = 5;
/** A transaction that is not in this many new blocks is looked into: lost in a reorg, or behind a gap of nonces. */
const BLOCKS_BEFORE_REPAIR = 5;

/*
 * Submission is one at a time: ask the node for the next nonce, sign, send. The hash is known before sending; after an
 * error the node is asked for the transaction, and only when it has none is another nonce taken.
 *
 * A reorg can drop transactions that were pending or mined. One that still waits is sent again as it is, which also
 * fills its gap; a gap that nothing waiting can fill is closed with an empty transaction to the account itself.
 */
class NonceOrderedSender implements AccountSender {
  readonly #options: AccountSenderOptions;
  readonly #abort = new AbortController();
  readonly #waiting = new Map<Hex, Waiting>();
  #submission: Promise<unknown> = Promise.resolve();
  #watching: Promise<void> | null = null;
  #seenBlock = -1;

  constructor(options: AccountSenderOptions) {
    setMaxListeners(0, this.#abort.signal); // every receipt that is asked for listens
    this.#options = options;
  }

  async send(call: OutgoingCall): Promise<MinedTransaction> {
    const turn = this.#submission.then(() => this.#submit(call));
    this.#submission = turn.catch(() => undefined); // the caller sees it below; the next one gets its turn
    const submitted = await turn;
    return await new Promise((resolve, reject) => {
      if (this.#abort.signal.aborted) return reject(new ClosedError('the account sender'));
      this.#waiting.set(submitted.hash, { ...submitted, blocksWaited: 0, resolve, reject });
      this.#watching ??= this.#watch();
    });
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#submission;
    for (const waiting of this.#waiting.values()) waiting.reject(new ClosedError('the account sender'));
    this.#waiting.clear();
    await this.#watching;
  }

  async #submit(call: OutgoingCall): Promise<Submitted> {
    for (let refusals = 0; ; ) {
      const nonce = Number(
        await this.#patiently('eth_getTransactionCount', [this.#options.account.address, 'pending']),
      );
      const submitted = await this.#sign(call, nonce);
      try {
        await this.#rpc('eth_sendRawTransaction', [submitted.raw]);
        return submitted;
      } catch (thrown) {
        if (await this.#patiently('eth_getTransactionByHash', [submitted.hash])) return submitted;
        const refused = thrown instanceof JsonRpcError && !thrown.retryable;
        if (refused) refusals += 1;
        if (refusals >= REFUSALS_BEFORE_GIVING_UP)
          throw new DevnetTransactionError('the node refuses the transaction', { cause: thrown, details: { nonce } });
        await this.#pause(refusals);
      }
    }
  }

  async #sign(call: OutgoingCall, nonce: number): Promise<Submitted> {
    const { account, chainId } = this.#options;
    const fees = { maxFeePerGas: MAX_FEE_WEI, maxPriorityFeePerGas: 1n };
    const raw = await account.signTransaction({ type: 'eip1559', chainId, nonce, ...fees, ...call });
    return { raw, nonce, hash: keccak256(raw) };
  }

  /** Runs while something waits for a block. */
  async #watch(): Promise<void> {
    const { common, pollMs = 100 } = this.#options;
    for (let failures = 0; this.#waiting.size > 0; ) {
      try {
        await common.clock.sleep(pollMs, this.#abort.signal);
        const block = Number(await this.#rpc('eth_blockNumber'));
        if (block !== this.#seenBlock) await this.#lookForReceipts(block);
        failures = 0;
      } catch (thrown) {
        if (this.#abort.signal.aborted) break;
        common.log.debug({ err: toError(thrown) }, 'looking for receipts failed, trying again');
        // only an abort ends a pause early, and ends the loop above
        await this.#pause(failures++).catch(() => undefined);
      }
    }
    this.#watching = null;
  }

  async #lookForReceipts(block: number): Promise<void> {
    const waiting = [...this.#waiting.values()];
    const receipts = await Promise.all(waiting.map(({ hash }) => this.#rpc('eth_getTransactionReceipt', [hash])));
    for (const [index, entry] of waiting.entries()) {
      const receipt = receipts[index] as RawReceipt | null;
      if (receipt) {
        this.#waiting.delete(entry.hash);
        entry.resolve(minedTransaction(entry.hash, receipt));
      } else entry.blocksWaited += 1;
    }
    const late = waiting.filter(
      ({ hash, blocksWaited }) => this.#waiting.has(hash) && blocksWaited >= BLOCKS_BEFORE_REPAIR,
    );
    if (late.length > 0) await this.#repair(late);
    this.#seenBlock = block;
  }

  async #repair(late: readonly Waiting[]): Promise<void> {
    const { account, common } = this.#options;
    const next = Number(await this.#rpc('eth_getTransactionCount', [account.address, 'latest']));
    for (const entry of late) {
      entry.blocksWaited = 0;
      if (await this.#rpc('eth_getTransactionByHash', [entry.hash])) continue;
      if (entry.nonce < next) {
        this.#waiting.delete(entry.hash);
        entry.reject(
          new DevnetTransactionError('a reorg gave the nonce to another transaction', { details: { ...entry } }),
        );
      } else await this.#rpc('eth_sendRawTransaction', [entry.raw]);
      common.log.debug({ hash: entry.hash, nonce: entry.nonce, next }, 'transaction was dropped by a reorg');
    }
    const nonces = [...this.#waiting.values()].map(({ nonce }) => nonce);
    if (nonces.length === 0 || Math.min(...nonces) <= next) return;
    const filler = await this.#sign({ to: account.address, data: '0x', gas: 21_000n }, next);
    await this.#rpc('eth_sendRawTransaction', [filler.raw]);
    common.log.debug({ nonce: next }, 'gap of nonces closed');
  }

  async #rpc(method: string, params?: readonly unknown[]): Promise<unknown> {
    return await this.#options.rpc(method, params, this.#abort.signal);
  }

  /** Until the node answers. */
  async #patiently(method: string, params: readonly unknown[]): Promise<unknown> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#rpc(method, params);
      } catch (thrown) {
        if (this.#abort.signal.aborted) throw new ClosedError('the account sender');
        if (!(thrown instanceof JsonRpcError) || !thrown.retryable) throw thrown;
        await this.#pause(attempt);
      }
    }
  }

  async #pause(attempt: number): Promise<void> {
    const { clock, random } = this.#options.common;
    await clock.sleep(backoffMs(RPC_BACKOFF, attempt, random), this.#abort.signal);
  }
}

interface RawReceipt {
  readonly status: Hex;
  readonly blockNumber: Hex;
  readonly blockHash: Hex;
  readonly logs: readonly ReceiptLog[];
}

function minedTransaction(hash: Hex, receipt: RawReceipt): MinedTransaction {
  const { blockHash, logs } = receipt;
  return { hash, blockNumber: BigInt(receipt.blockNumber), blockHash, succeeded: receipt.status === '0x1', logs };
}

/** Starts a sender. Only one may exist for an account and chain at a time. */
export function createAccountSender(options: AccountSenderOptions): AccountSender {
  return new NonceOrderedSender(options);
}
