import { backoffMs } from '../core/backoff.js';
import { AbortedError, ClosedError, toError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import { RampsApartError } from './chain-errors.js';
import type { ChainStore } from './chain-port.js';
import type { ChainSourceStatus, ChainStatus, RampStatus } from './watch/chain-status.js';
import { type ChainWatcher, type ChainWatcherOptions, createChainWatcher } from './watch/chain-watcher.js';
import { catchUpRamps } from './watch/ramp-catch-up.js';
import { RampCode } from './watch/ramp-code.js';
import { planRamps, type RampGroup, type RampPlan } from './watch/ramp-plan.js';
import { rampsOf, type WatchedRamp, withRamps } from './watch/watched-chain.js';

/**
 * The parts of the source of one chain: those of its watchers, with a store for each set of ramps that are read
 * together.
 */
export interface ChainSourceOptions extends Omit<ChainWatcherOptions, 'store'> {
  readonly openStore: (rampAddresses: readonly Hex[]) => ChainStore;
  /** How often an address without a contract is looked at again. Default 60 s. */
  readonly codeCheckMs?: number;
}

/** Reads one chain: all its OnRamps and OffRamps. */
export interface ChainSource {
  /** Reads until `signal` aborts; as `ChainWatcher.run`. */
  run(signal: AbortSignal): Promise<void>;
  status(): ChainSourceStatus;
}

/** Creates the source of one chain. */
export function createChainSource(options: ChainSourceOptions): ChainSource {
  return new RampsSource(options);
}

/** Ramps that are behind by no more than that catch up while the others wait: about one request for logs. */
const JOIN_BLOCKS = 1_000;
const RETRY = { baseMs: 250, maxMs: 15_000 };

/**
 * One watcher reads all ramps (OnRamps and OffRamps) that have been read up to the same block. One that was added later
 * is behind and catches up first, with a cursor of its own:
 *
 * *together* (one watcher, no ramp behind) · *beside* (ramps that are far behind catch up with the cursor that the
 * others had, while these go on being watched) · *joining* (few blocks are left: they are read while the others wait,
 * so that all cursors become equal). Each ends in a new plan by the stored cursors; a restart begins with one too.
 *
 * Invariant: a watcher's ramps have one cursor, equal in height and hash. When another process moves some of them
 * alone (it is configured with fewer), that is found when the cursors are read again, and a new plan is made.
 */
class RampsSource implements ChainSource {
  readonly #options: ChainSourceOptions;
  readonly #code: RampCode;
  #watcher: ChainWatcher;
  /** The ramps that catch up, with the last block that is stored of them. */
  readonly #catchingUp = new Map<Hex, { through: number | null; lastError: string | null }>();

  constructor(options: ChainSourceOptions) {
    const { chain, rpc, common, codeCheckMs } = options;
    const addresses = rampsOf(chain).map(({ address }) => address);
    this.#options = options;
    this.#code = new RampCode({
      ...{ chain: chain.name, addresses, rpc, common },
      ...(codeCheckMs === undefined ? {} : { everyMs: codeCheckMs }),
    });
    this.#watcher = this.#createWatcher(rampsOf(chain), this.#store(rampsOf(chain)));
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const code = this.#code.run(AbortSignal.any([signal, stop.signal]));
    try {
      if (rampsOf(this.#options.chain).length === 1) await this.#watcher.run(signal);
      else while (!signal.aborted) await this.#readByPlan(signal);
    } finally {
      stop.abort();
      await code;
    }
  }

  status(): ChainSourceStatus {
    const { chain, rpc } = this.#options;
    const watched = this.#watcher.status();
    return {
      ...watched,
      chainId: rpc.chainId,
      onRamps: chain.onRamps.map((ramp) => this.#statusOf(ramp, watched)),
      offRamps: (chain.offRamps ?? []).map((ramp) => this.#statusOf(ramp, watched)),
    };
  }

  #statusOf({ address, startBlock }: WatchedRamp, watched: ChainStatus): RampStatus {
    const behind = this.#catchingUp.get(address);
    return {
      address,
      startBlock,
      state: behind ? 'catchingUp' : 'watched',
      through: behind ? behind.through : (watched.cursor?.height ?? null),
      hasCode: this.#code.hasCode(address),
      lastError: behind?.lastError ?? null,
    };
  }

  async #readByPlan(signal: AbortSignal): Promise<void> {
    const stored = await Promise.all(
      rampsOf(this.#options.chain).map(async (ramp) => ({ ramp, cursor: await this.#store([ramp]).cursor() })),
    );
    const plan = planRamps(stored);
    this.#catchingUp.clear();
    for (const { ramps, cursor } of plan.behind)
      for (const { address } of ramps)
        this.#catchingUp.set(address, { through: cursor ? Number(cursor.height) : null, lastError: null });
    if (plan.behind.length === 0) return await this.#watch(plan.together.ramps, signal);
    if (plan.gapBlocks <= JOIN_BLOCKS && (await this.#join(plan, signal))) return;
    await this.#goOnBeside(plan, signal);
  }

  /** Ends when `signal` aborts, or when the ramps turn out not to be at one block. */
  async #watch(ramps: readonly WatchedRamp[], signal: AbortSignal): Promise<void> {
    const apart = new AbortController();
    const store = this.#store(ramps);
    this.#watcher = this.#createWatcher(ramps, {
      messagesAbove: (after, through) => store.messagesAbove(after, through),
      executionsAbove: (after, through) => store.executionsAbove(after, through),
      confirmed: () => store.confirmed(),
      lastHalt: () => store.lastHalt(),
      noteHalt: (halt) => store.noteHalt(halt),
      async cursor() {
        try {
          return await store.cursor();
        } catch (thrown) {
          if (thrown instanceof RampsApartError) apart.abort();
          throw thrown;
        }
      },
    });
    await this.#watcher.run(AbortSignal.any([signal, apart.signal]));
  }

  /** One attempt, since the others wait. True when it went well. */
  async #join(plan: RampPlan, signal: AbortSignal): Promise<boolean> {
    try {
      for (const group of plan.behind) await this.#catchUp(group, plan, signal);
      return true;
    } catch (thrown) {
      if (signal.aborted) return true;
      this.#noteFailure(plan.behind, toError(thrown));
      return false;
    }
  }

  /** The watcher and the catching up end together, whichever ends first. */
  async #goOnBeside(plan: RampPlan, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const work = [this.#watch(plan.together.ramps, both), this.#catchUpAll(plan, both)];
    const outcomes = await Promise.allSettled(work.map((each) => each.finally(() => stop.abort())));
    for (const outcome of outcomes)
      if (outcome.status === 'rejected' && !(outcome.reason instanceof AbortedError)) throw outcome.reason;
  }

  async #catchUpAll(plan: RampPlan, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options.common;
    for (const group of plan.behind)
      for (let failures = 0, done = false; !done; ) {
        try {
          await this.#catchUp(group, plan, signal);
          done = true;
        } catch (thrown) {
          if (signal.aborted || thrown instanceof ClosedError) throw thrown;
          this.#noteFailure([group], toError(thrown));
          await clock.sleep(backoffMs(RETRY, failures++, random), signal);
        }
      }
  }

  async #catchUp({ ramps }: RampGroup, { together }: RampPlan, signal: AbortSignal): Promise<void> {
    const { chain, rpc, writer, common } = this.#options;
    const to = together.cursor;
    if (to === null) return;
    const named = { chain: chain.name, ramps: ramps.map(({ address }) => address), to: Number(to.height) };
    common.log.info(named, 'OnRamps or OffRamps that were added catch up with the others');
    const note = (through: number) => {
      for (const { address } of ramps) this.#catchingUp.set(address, { through, lastError: null });
    };
    const ofThese = { chain: withRamps(chain, ramps), store: this.#store(ramps) };
    await catchUpRamps({ ...ofThese, rpc, writer, to, common, onStored: note }, signal);
    note(Number(to.height));
    common.log.info(named, 'OnRamps or OffRamps that were added have caught up');
  }

  #noteFailure(groups: readonly RampGroup[], error: Error): void {
    for (const { ramps } of groups)
      for (const { address } of ramps) {
        const { through = null } = this.#catchingUp.get(address) ?? {};
        this.#catchingUp.set(address, { through, lastError: error.message });
      }
    const { chain, common } = this.#options;
    common.log.warn(
      { chain: chain.name, err: error },
      'OnRamps or OffRamps that were added cannot catch up yet, trying again',
    );
  }

  #store(ramps: readonly WatchedRamp[]): ChainStore {
    return this.#options.openStore(ramps.map(({ address }) => address));
  }

  #createWatcher(ramps: readonly WatchedRamp[], store: ChainStore): ChainWatcher {
    return createChainWatcher({ ...this.#options, chain: withRamps(this.#options.chain, ramps), store });
  }
}
