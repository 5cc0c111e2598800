import type { Common } from '../../core/common.js';
import type { Hex } from '../../core/hex.js';
import { checkId } from '../../model/check-batch.js';
import { type Held, unite } from '../../model/held.js';
import { messageIdentity, resultIdentity } from '../../model/identity.js';
import { compareOrderKeys } from '../../model/order.js';
import type { ResultsPart } from '../../model/outlines.js';
import { partOfResults } from '../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { CCVDataNotFoundError, CoverageGapError, MessageNotFoundError } from '../../model/storage-errors.js';
import { type BackendStorage, tellsHoldings } from '../../storage/backend-storage.js';
import { type Backend, isLagging, isReadable, mayLookUp } from '../backend.js';
import { lostCommits, lostError } from '../follow/lost-commits.js';
import type { SinkMetrics } from '../sink-metrics.js';
import type { ReadFloor } from './read-floor.js';
import { isAnswer, Met, type Part, passOver, type Question, type ReadLoop } from './read-loop.js';

/** The one part of a lookup. Some backends have said that they are not complete for the id. */
interface IdPart extends Part {
  readonly lacking: ReadonlySet<Backend | 'all'>;
}

/** The records of an id that each backend holds, to be united into a state at or above `floorPosition`. */
interface Holdings<R> {
  readonly floorPosition: bigint;
  readonly parts: Map<Backend, Held<readonly R[]>>;
}

/**
 * Looks records up by message id: backend by backend in configured order, until one is complete for the id. The path
 * that the first backend answers allocates nothing of its own: it is the hottest of the whole product.
 *
 * No backend may be complete for an old id: the leader is pruned, and the lagging tier lacks the latest changes. Then
 * their holdings are united (`unite`): the leader has every change above its floor, the lagging tier every change up to
 * its position. Pruning stops at the position of the lagging tiers. A tier that seems to end below the leader's floor
 * has not seen the last flushes of other processes; it is asked again once it has looked.
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
  readonly #loop: ReadLoop;
  /** Callers that ask for many ids ask for the same part of each. */
  #lastPart: ResultsPart | null = null;
  #lastLookup = RESULTS;

  constructor(parts: {
    readonly backends: readonly Backend[];
    readonly floor: ReadFloor;
    readonly common: Common;
    readonly metrics: SinkMetrics;
    readonly maxStalenessMs: number;
    readonly loop: ReadLoop;
  }) {
    this.#all = parts.backends;
    this.#backends = parts.backends.filter(isReadable);
    this.#unreadLeader = parts.backends.find((each) => each.follower === null && !isReadable(each)) ?? null;
    this.#floor = parts.floor;
    this.#common = parts.common;
    this.#metrics = parts.metrics;
    this.#maxStalenessMs = parts.maxStalenessMs;
    this.#loop = parts.loop;
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
    const [first] = this.#backends;
    if (first === undefined || lostCommits(this.#all) !== null || !this.#mayAsk(first))
      return await this.#fromAny(messageId, lookup, new Met(), new Set());
    this.#metrics.lookup(first.tier);
    try {
      const found = await lookup.ask(first.storage, messageId);
      lookup.note(this.#floor, found);
      return found;
    } catch (thrown) {
      if (isAnswer(thrown)) throw thrown;
      const met = new Met();
      const lacks = passOver(met, first, thrown, this.#common) === 'lacks';
      return await this.#fromAny(messageId, lookup, met, new Set(lacks ? [first] : []));
    }
  }

  async #fromAny<T, R extends { readonly position: bigint }>(
    messageId: Hex,
    lookup: Lookup<T, R>,
    met: Met,
    lacking: IdPart['lacking'],
  ): Promise<T> {
    checkId(messageId, 'messageId');
    return await this.#loop.answer(this.#questionOf(messageId, lookup, met, lacking));
  }

  /** Asks the first backend that has not said that it lacks the id; after the last, all together. */
  #questionOf<T, R extends { readonly position: bigint }>(
    messageId: Hex,
    lookup: Lookup<T, R>,
    met: Met,
    lackingAtFirst: IdPart['lacking'],
  ): Question<IdPart, T> {
    let answer: { readonly answer: T } | null = null;
    let holdings: Holdings<R> | null = null;
    const planned = (lacking: IdPart['lacking'], steps: number): readonly IdPart[] => {
      const mayAsk = (backend: Backend) => !lacking.has(backend) && !met.failed.has(backend) && this.#mayAsk(backend);
      const alone = lostCommits(this.#all) === null ? this.#backends.find(mayAsk) : undefined;
      return [{ asked: alone ?? (lacking.has('all') ? null : 'all'), lacking, steps }];
    };
    return {
      met,
      boundsLooks: false,
      begin: () => planned(lackingAtFirst, 0),
      again({ asked, lacking }, why, steps) {
        if (why === 'lacks' && asked !== null) return planned(new Set([...lacking, asked]), steps);
        if (why === 'looked') return planned(new Set([...lacking].filter((each) => each !== 'all')), steps);
        if (why !== 'caught-up') return planned(lacking, steps);
        // a follower that caught up may be complete now, and the holdings of before may be too old for it
        met.forgive();
        holdings = null;
        return planned(new Set(), steps);
      },
      ask: async ({ asked }) => {
        if (asked === null) return 'lacks';
        if (asked !== 'all') {
          this.#metrics.lookup(asked.tier);
          answer = { answer: await lookup.ask(asked.storage, messageId) };
          lookup.note(this.#floor, answer.answer);
          return 'enough';
        }
        holdings ??= { floorPosition: this.#floorPosition(), parts: new Map() };
        answer = await this.#askAll(messageId, lookup, met, holdings);
        return answer === null ? 'lacks' : 'enough';
      },
      end: () => answer,
      behind: () => {
        const working = this.#backends.filter((backend) => !met.failed.has(backend));
        const isLate = (each: Backend) => each.follower !== null && !isLagging(each) && !this.#mayAsk(each);
        // a look completes only the leader's holdings
        const isWorth = [...(holdings?.parts.keys() ?? [])].some(({ follower }) => follower === null);
        return { tiers: isWorth ? working : [], late: lostCommits(this.#all) === null ? working.filter(isLate) : [] };
      },
      gap: () => {
        this.#metrics.lookup('gap');
        const lost = lostCommits(this.#all);
        if (lost !== null) return lostError({ kind: 'messageId', messageId }, lost);
        const cause = met.failure === undefined ? {} : { cause: met.failure };
        return new CoverageGapError({ kind: 'messageId', messageId }, 'sink', cause);
      },
    };
  }

  /**
   * The united holdings of all backends that can tell theirs; null when a record may still be missing. Only tiers that
   * have looked are asked again: the leader's holdings stay, so that no later prune comes in between. While the leader
   * lacks commits, an id that no backend has heard of is no proof: an acknowledged record may be in the lost commits.
   * @throws CCVDataNotFoundError, MessageNotFoundError when no backend has a record of the id.
   */
  async #askAll<T, R extends { readonly position: bigint }>(
    messageId: Hex,
    lookup: Lookup<T, R>,
    met: Met,
    { floorPosition, parts }: Holdings<R>,
  ): Promise<{ readonly answer: T } | null> {
    const lost = lostCommits(this.#all);
    const holders = this.#holders(lookup).filter(({ backend }) => !met.failed.has(backend));
    const leader = holders.find(({ backend }) => backend.follower === null)?.backend;
    // only the leader knows the latest changes, and alone it has answered already
    if (leader === undefined || holders.length < 2 || lost?.error.isContinuation === false) return null;
    const asked = holders.filter(({ backend }) => !parts.has(backend) || met.looked.includes(backend));
    await Promise.all(
      asked.map(async ({ backend, hold }) => {
        this.#metrics.lookup(backend.tier);
        try {
          parts.set(backend, await hold(messageId));
        } catch (thrown) {
          parts.delete(backend);
          passOver(met, backend, thrown, this.#common);
        }
      }),
    );
    const united = parts.has(leader) ? unite([...parts.values()], lookup.identityOf, floorPosition) : null;
    if (united === null) return null;
    try {
      const found = lookup.answerOf(messageId, united);
      lookup.note(this.#floor, found);
      return { answer: found };
    } catch (thrown) {
      if (lost !== null && isAnswer(thrown)) return null;
      throw thrown;
    }
  }

  /** A leader that is never read by itself still adds the changes that a lagging tier lacks, as it does for lists. */
  #holders<T, R extends { readonly position: bigint }>(lookup: Lookup<T, R>): readonly Holder<R>[] {
    const helping = this.#unreadLeader !== null && this.#backends.some(isLagging) ? [this.#unreadLeader] : [];
    return [...this.#backends, ...helping].flatMap((backend) => {
      const hold = lookup.holder(backend.storage);
      const { follower } = backend;
      const isKnown = follower === null || follower.progress.isPlaced || follower.ahead !== null;
      return hold !== null && isKnown ? [{ backend, hold }] : [];
    });
  }

  /** An answer is not older than the read floor, nor than the commits that the leader lacks. */
  #floorPosition(): bigint {
    const lostThrough = lostCommits(this.#all)?.error.throughPosition ?? 0n;
    return this.#floor.position > lostThrough ? this.#floor.position : lostThrough;
  }

  #mayAsk(backend: Backend): boolean {
    return mayLookUp(backend, this.#floor.position, this.#maxStalenessMs);
  }
}

interface Holder<R> {
  readonly backend: Backend;
  hold(messageId: Hex): Promise<Held<readonly R[]>>;
}

interface Lookup<T, R extends { readonly position: bigint }> {
  ask(storage: BackendStorage, messageId: Hex): Promise<T>;
  /** Reads the storage's holdings of an id, complete or not; null for a storage that cannot tell them. */
  holder(storage: BackendStorage): ((messageId: Hex) => Promise<Held<readonly R[]>>) | null;
  identityOf(record: R): string;
  /** @throws the error of `ask` for an id without records. */
  answerOf(messageId: Hex, records: readonly R[]): T;
  /** Raises the read floor to the records shown. */
  note(floor: ReadFloor, found: T): void;
}

const RESULTS: Lookup<readonly StoredVerifierResult[], StoredVerifierResult> = {
  ask: (storage, messageId) => storage.getCCVData(messageId),
  holder: (storage) => (tellsHoldings(storage) ? (messageId) => storage.heldCCVData(messageId) : null),
  identityOf: resultIdentity,
  answerOf(messageId, results) {
    if (results.length === 0) throw new CCVDataNotFoundError(messageId);
    return [...results].sort((a, b) => compareOrderKeys({ ...a, ingestionMs: 0 }, { ...b, ingestionMs: 0 }));
  },
  note(floor, results) {
    for (const { position } of results) floor.reached(position);
  },
};

/** Each holder tells the wanted part of its holdings; the latest states may be outlines in any place. */
function lookupOf(part: ResultsPart): Lookup<readonly StoredVerifierResult[], StoredVerifierResult> {
  return {
    ...RESULTS,
    ask: (storage, messageId) => storage.getCCVData(messageId, part),
    holder(storage) {
      return tellsHoldings(storage) ? (messageId) => storage.heldCCVData(messageId, part) : null;
    },
    answerOf: (messageId, results) => partOfResults(RESULTS.answerOf(messageId, results), part),
  };
}

const MESSAGE: Lookup<StoredMessage, StoredMessage> = {
  ask: (storage, messageId) => storage.getMessage(messageId),
  holder(storage) {
    if (!tellsHoldings(storage)) return null;
    return async (messageId) => {
      const { value, ...range } = await storage.heldMessage(messageId);
      return { value: value === null ? [] : [value], ...range };
    };
  },
  identityOf: messageIdentity,
  answerOf(messageId, [message]) {
    if (!message) throw new MessageNotFoundError(messageId);
    return message;
  },
  note: (floor, { position }) => floor.reached(position),
};
