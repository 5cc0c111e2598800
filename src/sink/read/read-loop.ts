import type { Common } from '../../core/common.js';
import { codeOf, InvalidArgumentError, toError } from '../../core/errors.js';
import { CCVDataNotFoundError, CoverageGapError, MessageNotFoundError } from '../../model/storage-errors.js';
import { buffers } from '../../storage/backend-storage.js';
import type { Backend } from '../backend.js';
import { succeedsWithin } from '../within.js';

/** The budget of a question: plans of all of it or of a part. */
const MAX_PLANS = 24;
/** Attempts at all of a question: parts that do not fit together are read anew, so often. */
const MAX_ATTEMPTS = 6;
/**
 * Steps to bring backends forward for a part. Looks of a tier are shared by questions: the first look may have begun
 * before the leader told its gap. The steps end with a catch-up that brought nothing.
 */
const STEPS = ['look', 'look', 'catch-up', 'look', 'look'] as const;
/** The waits of a question together, in waits of one step. */
const WAITS = 3;

/** The failures and looks of a question so far, over all of its plans. */
export class Met {
  /** Backends that failed, other than by lacking something: each is asked no more, so that a hanging one hangs once. */
  readonly failed = new Set<Backend>();
  /** Tiers that have last looked where they stand. */
  looked: readonly Backend[] = [];
  /** Tiers whose look failed or took too long: the question has them look no more. */
  readonly unseen = new Set<Backend>();
  /** The cause to name in the end: that a cache lacks something explains less than that the database failed. */
  failure: Error | undefined;

  fails(thrown: unknown): void {
    if (this.failure === undefined || !(thrown instanceof CoverageGapError)) this.failure = toError(thrown);
  }

  /** Every backend may be asked again, and every tier look. */
  forgive(): void {
    this.failed.clear();
    this.unseen.clear();
  }
}

/** A part of a question and the backends that are asked for it. */
export interface Part {
  /** Null: no backend can answer. */
  readonly asked: Backend | 'all' | null;
  /** How much was done to bring tiers forward for it. */
  readonly steps: number;
}

/** `told`: the part is answered. `enough`: and so is the question. */
export type Told = 'told' | 'enough' | Untold;
/** `lacks`: the backend is not complete for the part. `overtaken`: records moved while they were read. */
export type Untold = 'lacks' | 'failed' | 'overtaken';

/** Why a part is planned again. `stale`: its plan is not of now. `looked`, `caught-up`: some tier or follower has. */
export type Why = Untold | 'stale' | 'looked' | 'caught-up';

/** A list, a count or a lookup, as the loop sees it. */
export interface Question<P extends Part, A> {
  readonly met: Met;
  /** Whether a look is waited for no longer than a late follower is; else until the storage's own limits end it. */
  readonly boundsLooks: boolean;
  /** Plans all of it, as if nothing had been told. */
  begin(): readonly P[];
  /** Plans a part anew. */
  again(part: P, why: Why, steps: number): readonly P[];
  /** Leaves nothing behind when it throws, or the part is untold. */
  ask(part: P): Promise<Told>;
  /** The answer, once every part is told; null when they do not fit together. `isLast`: there is no other attempt. */
  end(isLast: boolean): { readonly answer: A } | null;
  /** Tiers fed by other processes that may be asked to look where they stand, and followers that are merely late. */
  behind(): { readonly tiers: readonly Backend[]; readonly late: readonly Backend[] };
  /** The error of a part that stays unanswered; null: of the whole, whose parts never fitted together. */
  gap(part: P | null): CoverageGapError;
}

/**
 * The one loop that plans again. A question is planned into parts, and the parts are asked in order. A told part stays
 * told; a part that is not told is planned again, by itself, with the coverage of that moment. One budget: `MAX_PLANS`,
 * of which `MAX_ATTEMPTS` may be plans of all of it. A plan without a backend that failed costs nothing.
 *
 *     a part                                  and then
 *     is told                                 the next one; after the last the answer, if the parts fit together
 *     is lacked: evicted, pruned meanwhile    planned again; for this part the backend comes last, and only once its
 *                                             coverage or the leader's is another; other parts still ask it
 *     fails, hangs until its deadline         planned again; the backend is not asked again by this question, unless
 *                                             it is a lookup and a late follower has caught up since
 *     is overtaken: an amended list moved     planned again; for this part the backend comes last
 *     has no backend, in a plan of before     planned again
 *     has no backend, in a plan of now        the next of `STEPS`: tiers look where they stand, or late followers are
 *                                             waited for; then, whether that succeeded or not, planned again; the
 *                                             waits of a question are bounded together, save the looks of a lookup
 *     do not fit together                     all of it is planned again, from states at or above the tear; in the last
 *                                             attempt of a record in two parts its latest state is the answer
 *
 *     the loop ends with
 *     the answer                              whole, of one state
 *     CCVDataNotFound, MessageNotFoundError   from a backend, or several together, complete for the id
 *     InvalidArgumentError                    of the question itself
 *     CoverageGapError                        a part without a backend in a plan of now and no step left, or the budget
 *                                             spent; its cause is the last failure of a backend
 */
export class ReadLoop {
  readonly #common: Common;
  readonly #waitMs: number;

  /** @param waitMs for how long one step of bringing tiers forward is waited for. */
  constructor(common: Common, waitMs: number) {
    this.#common = common;
    this.#waitMs = waitMs;
  }

  async answer<P extends Part, A>(question: Question<P, A>): Promise<A> {
    const wait = this.#wait();
    let parts = [...question.begin()];
    for (let plans = 1, attempts = 1; ; ) {
      const replan = await this.#untold(question, parts, wait);
      if (replan !== null) {
        // no more than backends times parts: each backend fails once
        if (replan.why !== 'failed') plans += 1;
        if (plans > MAX_PLANS) throw question.gap(replan.part);
        parts.unshift(...question.again(replan.part, replan.why, replan.steps));
        continue;
      }
      const isLast = plans >= MAX_PLANS || attempts >= MAX_ATTEMPTS;
      const end = question.end(isLast);
      if (end !== null) return end.answer;
      if (isLast) throw question.gap(null);
      plans += 1;
      attempts += 1;
      parts = [...question.begin()];
    }
  }

  /** Takes parts off the list in order, up to one that has to be planned again; null: all needed are told. */
  async #untold<P extends Part>(question: Question<P, unknown>, parts: P[], wait: Wait): Promise<Replan<P> | null> {
    // the first part was planned in this turn
    let isPlannedNow = true;
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      if (part.asked === null) {
        if (!isPlannedNow) return { part, why: 'stale', steps: part.steps };
        const step = await this.#bringForward(question, part.steps, wait);
        if (step === null) throw question.gap(part);
        return { part, ...step };
      }
      const told = await this.#ask(question, part);
      if (told === 'enough') return null;
      if (told !== 'told') return { part, why: told, steps: part.steps };
      isPlannedNow = false;
    }
    return null;
  }

  async #ask<P extends Part>(question: Question<P, unknown>, part: P): Promise<Told> {
    const { asked } = part;
    if (asked !== null && asked !== 'all' && question.met.failed.has(asked)) return 'failed';
    try {
      return await question.ask(part);
    } catch (thrown) {
      if (isAnswer(thrown) || asked === null || asked === 'all') throw thrown;
      return passOver(question.met, asked, thrown, this.#common);
    }
  }

  /** Does the next step that could bring a backend forward; null: none is left. */
  async #bringForward(question: Question<Part, unknown>, done: number, wait: Wait): Promise<Step | null> {
    const { met, boundsLooks } = question;
    for (let steps = done; steps < STEPS.length; steps += 1) {
      const { tiers, late } = question.behind();
      met.looked = [];
      if (STEPS[steps] === 'catch-up') {
        const why = await catchUp(late, wait);
        return why === null ? null : { why, steps: why === 'caught-up' ? steps + 1 : STEPS.length };
      }
      const why = await look(met, tiers, boundsLooks ? wait : succeeds);
      if (why !== null) return { why, steps: steps + 1 };
    }
    return null;
  }

  /** Bounds the waits of one question together. */
  #wait(): Wait {
    const { clock } = this.#common;
    let leftMs = this.#waitMs * WAITS;
    return async (work) => {
      const startedMs = clock.monotonicMs();
      const succeeded = await succeedsWithin(clock, Math.min(this.#waitMs, leftMs), work);
      leftMs = Math.max(0, leftMs - (clock.monotonicMs() - startedMs));
      return succeeded;
    };
  }
}

/** Whether `work` succeeded in the time that is left for it. */
type Wait = (work: Promise<unknown>) => Promise<boolean>;

/** A step done to bring a backend forward. */
interface Step {
  readonly why: Why;
  readonly steps: number;
}

/** A part to plan again. */
interface Replan<P> extends Step {
  readonly part: P;
}

/** Notes why a backend did not answer. */
export function passOver(met: Met, backend: Backend, thrown: unknown, { log }: Pick<Common, 'log'>): Untold {
  met.fails(thrown);
  const told = { backend: backend.name, code: codeOf(thrown), err: toError(thrown) };
  if (thrown instanceof CoverageGapError) {
    log.debug(told, 'backend passed over');
    return 'lacks';
  }
  log.warn(told, 'backend passed over');
  met.failed.add(backend);
  return 'failed';
}

/** Not found is an answer of a backend that is complete for the id; an invalid question is answered by saying so. */
export function isAnswer(thrown: unknown): boolean {
  return (
    thrown instanceof CCVDataNotFoundError ||
    thrown instanceof MessageNotFoundError ||
    thrown instanceof InvalidArgumentError
  );
}

/**
 * Lagging tiers look where they stand: other processes may have flushed since, and pruned up to there. Null: there is
 * no such tier.
 */
async function look(met: Met, tiers: readonly Backend[], wait: Wait): Promise<Why | null> {
  const looks = tiers.flatMap((tier) => {
    const { storage } = tier;
    return buffers(storage) && !met.unseen.has(tier) ? [{ tier, refresh: () => storage.refresh() }] : [];
  });
  if (looks.length === 0) return null;
  const looked = looks.map(async ({ tier, refresh }) => {
    const looking = refresh().catch((thrown: unknown) => {
      met.fails(thrown);
      throw thrown;
    });
    if (await wait(looking)) return [tier];
    met.unseen.add(tier);
    return [];
  });
  met.looked = (await Promise.all(looked)).flat();
  return met.looked.length > 0 ? 'looked' : 'stale';
}

/** Waits for the first of the followers that are late. Null: there is none. */
async function catchUp(late: readonly Backend[], wait: Wait): Promise<Why | null> {
  const followers = late.flatMap(({ follower }) =>
    follower === null || follower.state === 'failing' ? [] : [follower],
  );
  if (followers.length === 0) return null;
  return (await wait(Promise.any(followers.map((follower) => follower.confirm())))) ? 'caught-up' : 'stale';
}

function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
