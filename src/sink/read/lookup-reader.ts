import type { Common } from '../../core/common.js';
import { InvalidArgumentError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import { checkId } from '../../model/check-batch.js';
import { type Held, unite } from '../../model/held.js';
import { compareOrderKeys } from '../../model/order.js';
import type { ResultsPart } from '../../model/outlines.js';
import { partOfResults } from '../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { CCVDataNotFoundError, CoverageGapError, MessageNotFoundError } from '../../model/storage-errors.js';
import { isBuffered } from '../../storage/buffered-storage.js';
import type { Storage } from '../../storage/storage.js';
import { type Backend, isLagging, isReadable, mayLookUp } from '../backend.js';
import { type LostCommits, lostCommits, lostError } from '../follow/lost-commits.js';
import { codeOf } from '../sink-errors.js';
import type { SinkMetrics } from '../sink-metrics.js';
import { succeedsWithin } from '../within.js';
import { messages, verifierResults } from './list-kind.js';
import type { ReadFloor } from './read-floor.js';

/** Calls that look where a tier stands are shared: the first of these may have begun before the leader told its floor. */
const LOOKS = 2;

/**
 * Looks records up by message id: backend by backend in configured order, until one is complete for the id. The path
 * that the first backend answers allocates nothing of its own: it is the hottest of the whole product.
 *
 * Of an old id none may be complete: the leader was pruned, the tier that lags has not heard of the latest changes. Then
 * what both hold is put together (`unite`): the leader has all that changed above its floor, the other all that changed
 * up to where it stands.
 */
export class LookupReader {
  readonly #all: readonly Backend[];
  readonly #backends: readonly Backend[];
  /** Not null only where it may not be read by itself. */
  readonly #unreadLeader: Backend | null;
  readonly #floor: ReadFloor;
  readonly #common: Common;
  readonly #metrics: SinkMetrics;
  readonly #maxStalenessMs: number;
  readonly #catchUpWaitMs: number;
  /** Whoever asks for many ids asks for the same part of each. */
  #lastPart: ResultsPart | null = null;
  #lastLookup = RESULTS;

  constructor(parts: {
    readonly backends: readonly Backend[];
    readonly floor: ReadFloor;
    readonly common: Common;
    readonly metrics: SinkMetrics;
    readonly maxStalenessMs: number;
    readonly catchUpWaitMs: number;
  }) {
    this.#all = parts.backends;
    this.#backends = parts.backends.filter(isReadable);
    this.#unreadLeader = parts.backends.find((each) => each.follower === null && !isReadable(each)) ?? null;
    this.#floor = parts.floor;
    this.#common = parts.common;
    this.#metrics = parts.metrics;
    this.#maxStalenessMs = parts.maxStalenessMs;
    this.#catchUpWaitMs = parts.catchUpWaitMs;
  }

  ccvData(messageId: Hex, part?: ResultsPart): Promise<readonly StoredVerifierResult[]> {
    if (part === undefined) return this.#first(messageId, RESULTS);
    if (part !== this.#lastPart) [this.#lastPart, this.#lastLookup] = [part, lookupOf(part)];
    return this.#first(messageId, this.#lastLookup);
  }

  message(messageId: Hex): Promise<StoredMessage> {
    return this.#first(messageId, MESSAGE);
  }

  /** The first backend's answer, when it has one: everything else is the slow path. */
  async #first<T, R extends { readonly position: bigint }>(messageId: Hex, lookup: Lookup<T, R>): Promise<T> {
    const lost = lostCommits(this.#all);
    if (lost !== null) return await this.#withLost(messageId, lookup, lost);
    const [first] = this.#backends;
    if (first === undefined || !this.#mayAsk(first)) return await this.#fromAny(messageId, lookup, 0, undefined);
    this.#metrics.lookup(first.tier);
    try {
      const found = await lookup.ask(first.storage, messageId);
      lookup.note(this.#floor, found);
      return found;
    } catch (thrown) {
      if (isAnswer(thrown)) throw thrown;
      return await this.#fromAny(messageId, lookup, 1, this.#passOver(first, thrown, undefined));
    }
  }

  /** From the backends from index `from` on, and once more from all when some of those that were late have caught up. */
  async #fromAny<T, R extends { readonly position: bigint }>(
    messageId: Hex,
    lookup: Lookup<T, R>,
    from: number,
    before: unknown,
  ): Promise<T> {
    checkId(messageId, 'messageId');
    let failure = before;
    const inOrder = this.#backends.slice(from);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const lost = lostCommits(this.#all);
      if (lost !== null) return await this.#withLost(messageId, lookup, lost);
      for (const backend of attempt === 0 ? inOrder : this.#backends) {
        if (!this.#mayAsk(backend)) continue;
        try {
          this.#metrics.lookup(backend.tier);
          const found = await lookup.ask(backend.storage, messageId);
          lookup.note(this.#floor, found);
          return found;
        } catch (thrown) {
          if (isAnswer(thrown)) throw thrown;
          failure = this.#passOver(backend, thrown, failure);
        }
      }
      const united = await this.#fromAll(messageId, lookup);
      if (united.found !== null) return united.found;
      failure = united.failure ?? failure;
      if (attempt > 0 || !(await this.#catchUp())) break;
    }
    this.#metrics.lookup('gap');
    throw new CoverageGapError(
      { kind: 'messageId', messageId },
      'sink',
      failure === undefined ? {} : { cause: failure },
    );
  }

  /**
   * The leader lacks commits: what it holds is put together with what the backend that has them holds. That neither has
   * heard of an id proves nothing, because a commit that both lack may have been acknowledged.
   */
  async #withLost<T, R extends { readonly position: bigint }>(
    messageId: Hex,
    lookup: Lookup<T, R>,
    lost: LostCommits,
  ): Promise<T> {
    checkId(messageId, 'messageId');
    try {
      const { found } = lost.error.isContinuation
        ? await this.#fromAll(messageId, lookup, lost.error.throughPosition)
        : { found: null };
      if (found !== null) return found;
    } catch (thrown) {
      if (!isAnswer(thrown)) throw thrown;
    }
    this.#metrics.lookup('gap');
    throw lostError({ kind: 'messageId', messageId }, lost);
  }

  /**
   * What all that can tell what they hold, hold together; null when something may still be missing. The leader is pruned
   * only as far as the tiers that lag have come. One of them that seems to end below its floor knows too little of what
   * other processes have flushed: it is asked again once it has looked. What the leader told stays as good as it was, so
   * that no later prune can come in between.
   * @throws what the lookup throws when there is nothing.
   */
  async #fromAll<T, R extends { readonly position: bigint }>(
    messageId: Hex,
    lookup: Lookup<T, R>,
    leastPosition = 0n,
  ): Promise<{ readonly found: T | null; readonly failure: unknown }> {
    const floorPosition = this.#floor.position > leastPosition ? this.#floor.position : leastPosition;
    const holders = this.#holders(lookup);
    const leader = holders.find(({ backend }) => backend.follower === null)?.backend;
    // only the leader knows the latest changes, and alone it has answered already
    if (leader === undefined || holders.length < 2) return { found: null, failure: undefined };
    const parts = new Map<Backend, Held<readonly R[]>>();
    let failure: unknown;
    const ask = async ({ backend, hold }: Holder<R>, isAgain: boolean) => {
      this.#metrics.lookup(backend.tier);
      try {
        if (isAgain && isBuffered(backend.storage)) await backend.storage.refresh();
        parts.set(backend, await hold(messageId));
      } catch (thrown) {
        failure = this.#passOver(backend, thrown, failure);
      }
    };
    for (let looks = 0; looks <= LOOKS && failure === undefined; looks += 1) {
      const asked = looks === 0 ? holders : holders.filter(({ backend }) => isBuffered(backend.storage));
      await Promise.all(asked.map((holder) => ask(holder, looks > 0)));
      const united = parts.has(leader) ? unite([...parts.values()], lookup.identityOf, floorPosition) : null;
      if (united === null) continue;
      const found = lookup.answerOf(messageId, united);
      lookup.note(this.#floor, found);
      return { found, failure: undefined };
    }
    return { found: null, failure };
  }

  /** A leader that is never read by itself still says what a tier that lags has not heard of, as it does for lists. */
  #holders<T, R extends { readonly position: bigint }>(lookup: Lookup<T, R>): readonly Holder<R>[] {
    const helping = this.#unreadLeader !== null && this.#backends.some(isLagging) ? [this.#unreadLeader] : [];
    return [...this.#backends, ...helping].flatMap((backend) => {
      const hold = lookup.holder(backend.storage);
      const { follower } = backend;
      const isKnown = follower === null || follower.progress.isPlaced || follower.ahead !== null;
      return hold !== null && isKnown ? [{ backend, hold }] : [];
    });
  }

  #mayAsk(backend: Backend): boolean {
    return mayLookUp(backend, this.#floor.position, this.#maxStalenessMs);
  }

  /** The cause to name in the end: that a cache lacks an id explains less than that the database failed. */
  #passOver(backend: Backend, thrown: unknown, before: unknown): unknown {
    if (thrown instanceof CoverageGapError) return before ?? thrown;
    this.#common.log.warn({ backend: backend.name, code: codeOf(thrown), err: thrown }, 'backend passed over');
    return thrown;
  }

  async #catchUp(): Promise<boolean> {
    const late = this.#backends.flatMap((backend) =>
      backend.follower !== null && backend.follower.state !== 'failing' && !isLagging(backend) && !this.#mayAsk(backend)
        ? [backend.follower]
        : [],
    );
    if (late.length === 0) return false;
    const anyone = Promise.any(late.map((follower) => follower.confirm()));
    return await succeedsWithin(this.#common.clock, this.#catchUpWaitMs, anyone);
  }
}

interface Holder<R> {
  readonly backend: Backend;
  hold(messageId: Hex): Promise<Held<readonly R[]>>;
}

interface Lookup<T, R extends { readonly position: bigint }> {
  ask(storage: Storage, messageId: Hex): Promise<T>;
  /** Reads what the storage holds, complete or not; null when it cannot tell. */
  holder(storage: Storage): ((messageId: Hex) => Promise<Held<readonly R[]>>) | null;
  identityOf(record: R): string;
  /** @throws what `ask` throws when there is nothing. */
  answerOf(messageId: Hex, records: readonly R[]): T;
  /** What was shown must not be taken back. */
  note(floor: ReadFloor, found: T): void;
}

const RESULTS: Lookup<readonly StoredVerifierResult[], StoredVerifierResult> = {
  ask: (storage, messageId) => storage.getCCVData(messageId),
  holder: (storage) => storage.heldCCVData?.bind(storage) ?? null,
  identityOf: verifierResults.identityOf,
  answerOf(messageId, results) {
    if (results.length === 0) throw new CCVDataNotFoundError(messageId);
    return [...results].sort((a, b) => compareOrderKeys({ ...a, ingestionMs: 0 }, { ...b, ingestionMs: 0 }));
  },
  note(floor, results) {
    for (const { position } of results) floor.reached(position);
  },
};

/** Each holder tells the wanted part of what it holds; the latest states may be outlines in any place. */
function lookupOf(part: ResultsPart): Lookup<readonly StoredVerifierResult[], StoredVerifierResult> {
  return {
    ...RESULTS,
    ask: (storage, messageId) => storage.getCCVData(messageId, part),
    holder(storage) {
      const held = storage.heldCCVData?.bind(storage);
      return held ? (messageId) => held(messageId, part) : null;
    },
    answerOf: (messageId, results) => partOfResults(RESULTS.answerOf(messageId, results), part),
  };
}

const MESSAGE: Lookup<StoredMessage, StoredMessage> = {
  ask: (storage, messageId) => storage.getMessage(messageId),
  holder(storage) {
    const heldMessage = storage.heldMessage?.bind(storage);
    if (!heldMessage) return null;
    return async (messageId) => {
      const { value, ...range } = await heldMessage(messageId);
      return { value: value === null ? [] : [value], ...range };
    };
  },
  identityOf: messages.identityOf,
  answerOf(messageId, [message]) {
    if (!message) throw new MessageNotFoundError(messageId);
    return message;
  },
  note: (floor, { position }) => floor.reached(position),
};

/** Not found is an answer of a backend that is complete for the id. */
function isAnswer(thrown: unknown): boolean {
  return (
    thrown instanceof CCVDataNotFoundError ||
    thrown instanceof MessageNotFoundError ||
    thrown instanceof InvalidArgumentError
  );
}
