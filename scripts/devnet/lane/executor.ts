import { setMaxListeners } from 'node:events';
import { type Backoff, backoffMs } from '../../../src/core/backoff.js';
import type { Common } from '../../../src/core/common.js';
import { IndexerError, InvalidArgumentError, toError } from '../../../src/core/errors.js';
import type { Hex } from '../../../src/core/hex.js';
import { createJsonRpc } from '../anvil/json-rpc.js';
import { type AccountSender, createAccountSender } from './account-sender.js';
import { type ContractLibrary, createContractLibrary } from './contracts.js';
import { createIndexerApi, type IndexerApi, type ListedMessage, type ListedVerification } from './indexer-api.js';
import { devnetAccount } from './keys.js';
import type { DevnetChain, LaneDeployment } from './lane-deployment.js';
import { createOffRamp, type Execution, type OffRamp } from './off-ramp.js';
import { createSemaphore } from './semaphore.js';

/** How far the executor is with one message. Times are unix ms; null: not yet. */
export interface ExecutionReport {
  readonly messageId: Hex;
  readonly sourceChainSelector: bigint;
  readonly destChainSelector: bigint;
  /** When the indexer stored it, as the indexer says. */
  readonly ingestionMs: number;
  readonly firstSeenMs: number;
  /** When every CCV that the message names had a result. */
  readonly verifiedMs: number | null;
  readonly executedMs: number | null;
  /** Transactions sent for it. */
  readonly attempts: number;
  /** It was executed before this executor saw it: the times mean nothing. */
  readonly executedBefore: boolean;
}

/** A running executor. */
export interface Executor {
  /** Messages that the API listed and that are not executed yet, or not verified where none are executed. */
  pendingCount(): number;
  /** Messages that are executed, by us or before. */
  executedCount(): number;
  /** Entries of the API that could not be used: anything but 0 is a fault of the indexer. */
  rejectedCount(): number;
  /** Stops polling and resolves when nothing runs any more. Idempotent. */
  close(): Promise<void>;
}

/** Dependencies of an executor. Of the indexer it knows the API alone. */
export interface ExecutorOptions {
  readonly common: Common;
  /** Base URLs of indexers, tried in this order. */
  readonly apiUrls: readonly string[];
  readonly chains: readonly DevnetChain[];
  readonly deployment: LaneDeployment;
  /** How often new messages are asked for. Defaults to a second, as executors do. */
  readonly pollIntervalMs?: number;
  /** First ingestion time, unix ms. Default 0: messages that are executed already are skipped. */
  readonly startMs?: number;
  readonly library?: ContractLibrary;
  /** Default: true. False: messages are followed until they are verified, and left to another executor then. */
  readonly executes?: boolean;
  /** Told at each step of each message. */
  readonly onProgress?: (report: ExecutionReport) => void;
}

const DEFAULT_POLL_INTERVAL_MS = 1_000;
const PAGE_SIZE = 100;
const MAX_CONCURRENT_CALLS = 24;
const FAILED_ATTEMPT: Backoff = { baseMs: 500, maxMs: 15_000 };

/*
 * A message is: listed → (executed already: done) → waits until every CCV that it names has a result → executed →
 * confirmed by its state on the destination chain. Whatever fails on the way is tried again, with the results fetched
 * anew: a proof that the chain refuses may have been replaced by then.
 */
class ApiExecutor implements Executor {
  readonly #options: ExecutorOptions;
  readonly #api: IndexerApi;
  readonly #abort = new AbortController();
  readonly #senders: AccountSender[] = [];
  readonly #offRamps: ReadonlyMap<bigint, OffRamp>;
  readonly #listed = new Set<Hex>();
  readonly #following = new Set<Promise<void>>();
  readonly #calls = createSemaphore(MAX_CONCURRENT_CALLS);
  readonly #polling: Promise<void>;
  #lastSeenMs: number;
  #executed = 0;
  #rejected = new Set<string>();

  constructor(options: ExecutorOptions) {
    setMaxListeners(0, this.#abort.signal); // every message that waits listens
    this.#options = options;
    this.#lastSeenMs = options.startMs ?? 0;
    this.#api = createIndexerApi({ common: options.common, urls: options.apiUrls });
    this.#offRamps = this.#connect();
    this.#polling = this.#poll();
  }

  pendingCount(): number {
    return this.#following.size;
  }

  executedCount(): number {
    return this.#executed;
  }

  rejectedCount(): number {
    return this.#rejected.size;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#senders.map((sender) => sender.close()));
    await this.#polling;
    await Promise.all(this.#following);
  }

  #connect(): ReadonlyMap<bigint, OffRamp> {
    const { common, chains, deployment, library = createContractLibrary() } = this.#options;
    return new Map(
      deployment.chains.map((chain) => {
        const reached = chains.find(({ chainId }) => chainId === chain.chainId);
        if (!reached) throw new InvalidArgumentError(`no URL was given for chain ${chain.name}`);
        const rpc = createJsonRpc(reached.url);
        const account = devnetAccount('executor');
        const sender = createAccountSender({ common, rpc, chainId: chain.chainId, account });
        this.#senders.push(sender);
        return [BigInt(chain.selector), createOffRamp({ rpc, address: chain.addresses.offRamp, sender, library })];
      }),
    );
  }

  async #poll(): Promise<void> {
    const { common, pollIntervalMs = DEFAULT_POLL_INTERVAL_MS } = this.#options;
    while (!this.#abort.signal.aborted) {
      try {
        await this.#listNew();
      } catch (thrown) {
        if (this.#abort.signal.aborted) return;
        common.log.warn({ err: toError(thrown) }, 'listing messages failed, trying again');
      }
      await this.#sleep(pollIntervalMs);
    }
  }

  /** Every message since the last seen second, page by page. */
  async #listNew(): Promise<void> {
    const startMs = Math.floor(this.#lastSeenMs / 1_000) * 1_000;
    for (let offset = 0; ; offset += PAGE_SIZE) {
      const page = await this.#api.messages({ startMs, limit: PAGE_SIZE, offset }, this.#abort.signal);
      for (const entry of page) {
        if (entry instanceof IndexerError) this.#reject(entry);
        else this.#begin(entry);
      }
      if (page.length < PAGE_SIZE) return;
    }
  }

  #reject(error: IndexerError): void {
    if (this.#rejected.has(error.message)) return;
    this.#rejected.add(error.message);
    this.#options.common.log.error({ err: error }, 'the indexer lists a message that cannot be used');
  }

  #begin(listed: ListedMessage): void {
    this.#lastSeenMs = Math.max(this.#lastSeenMs, listed.ingestionMs);
    if (this.#listed.has(listed.messageId)) return;
    this.#listed.add(listed.messageId);
    const offRamp = this.#offRamps.get(listed.message.destChainSelector);
    if (!offRamp) return; // another executor's chain
    const following = this.#follow(listed, offRamp);
    this.#following.add(following);
    following.then(() => this.#following.delete(following));
  }

  /** Never rejects. */
  async #follow(listed: ListedMessage, offRamp: OffRamp): Promise<void> {
    const { clock, random, log } = this.#options.common;
    const { sourceChainSelector, destChainSelector } = listed.message;
    let report: ExecutionReport = {
      ...{ messageId: listed.messageId, sourceChainSelector, destChainSelector, ingestionMs: listed.ingestionMs },
      ...{ firstSeenMs: clock.nowMs(), verifiedMs: null, executedMs: null, attempts: 0, executedBefore: false },
    };
    const tell = (change: Partial<ExecutionReport>) => {
      report = { ...report, ...change };
      this.#options.onProgress?.(report);
    };
    tell({});
    for (let failures = 0; !this.#abort.signal.aborted; failures += 1) {
      try {
        if (this.#options.executes === false) {
          await this.#untilVerified(listed);
          return tell({ verifiedMs: clock.nowMs() });
        }
        const done = await this.#advance(listed, offRamp, report, tell);
        if (done) {
          this.#executed += 1;
          return tell({ executedMs: clock.nowMs() });
        }
      } catch (thrown) {
        if (this.#abort.signal.aborted) return;
        log.warn({ err: toError(thrown), messageId: listed.messageId }, 'executing a message failed, trying again');
      }
      await this.#sleep(backoffMs(FAILED_ATTEMPT, failures, random));
    }
  }

  /** True when the message is executed. */
  async #advance(
    listed: ListedMessage,
    offRamp: OffRamp,
    report: ExecutionReport,
    tell: (change: Partial<ExecutionReport>) => void,
  ): Promise<boolean> {
    const { clock, log } = this.#options.common;
    const { messageId } = listed;
    if ((await this.#calls(() => offRamp.stateOf(messageId))) === 'SUCCESS') {
      tell({ executedBefore: report.attempts === 0 });
      return true;
    }
    const execution = await this.#untilVerified(listed);
    tell({ verifiedMs: report.verifiedMs ?? clock.nowMs(), attempts: report.attempts + 1 });
    const outcome = await offRamp.execute(execution);
    if (outcome.state === 'SUCCESS') return true;
    const { state, returnData, transactionHash } = outcome;
    log.warn({ messageId, state, returnData, transactionHash }, 'the destination refused the message');
    return false;
  }

  async #untilVerified(listed: ListedMessage): Promise<Execution> {
    const { pollIntervalMs = DEFAULT_POLL_INTERVAL_MS, common } = this.#options;
    const backoff: Backoff = { baseMs: pollIntervalMs, maxMs: 4 * pollIntervalMs };
    for (let attempt = 0; ; attempt += 1) {
      const ask = () => this.#api.verifications(listed.messageId, this.#abort.signal);
      const execution = executionOf(listed, await this.#calls(ask));
      if (execution) return execution;
      await common.clock.sleep(backoffMs(backoff, attempt, common.random), this.#abort.signal);
    }
  }

  /** Ends early, without an error, when the executor closes: its loops look at the signal themselves. */
  async #sleep(durationMs: number): Promise<void> {
    await this.#options.common.clock.sleep(durationMs, this.#abort.signal).catch(() => undefined);
  }
}

/** Null while a CCV that the message names has no result. */
function executionOf(listed: ListedMessage, results: readonly ListedVerification[]): Execution | null {
  const ccvs = listed.ccvAddresses.length > 0 ? listed.ccvAddresses : (results[0]?.messageCCVAddresses ?? []);
  const chosen = ccvs.map((ccv) => results.find(({ sourceAddress }) => sourceAddress === ccv));
  const complete = chosen.filter((result) => result !== undefined);
  if (ccvs.length === 0 || complete.length < ccvs.length) return null;
  return {
    messageId: listed.messageId,
    encodedMessage: listed.encodedMessage,
    executionGasLimit: listed.message.executionGasLimit,
    destCcvs: complete.map(({ destAddress }) => destAddress),
    verifierResults: complete.map(({ ccvData }) => ccvData),
  };
}

/**
 * Starts an executor: it polls `/v1/messages` from the last seen second, fetches each message's verifications, and
 * calls the real `OffRamp.execute` of the destination chain until it says SUCCESS.
 * @throws InvalidArgumentError when a chain of the deployment has no URL.
 */
export function createExecutor(options: ExecutorOptions): Executor {
  return new ApiExecutor(options);
}
