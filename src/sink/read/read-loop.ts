import type { Common } from '../../core/common.js';
import { InvalidArgumentError, toError } from '../../core/errors.js';
import { CCVDataNotFoundError, CoverageGapError, MessageNotFoundError } from '../../model/storage-errors.js';
import type { Backend } from '../backend.js';
import { codeOf } from '../sink-errors.js';
import { succeedsWithin } from '../within.js';

/** The budget of a question: plans of all of it or of a part. */
const MAX_PLANS = 24;
/** Looks of a tier are shared by questions: the first look may have begun before the leader told its gap. */
const LOOKS = 2;

/** The failures and looks of a question so far, over all of its plans. */
export class Met {
  /** Backends that failed, other than by lacking something: each is asked no more, so that a hanging one hangs once. */
  readonly failed = new Set<Backend>();
  /** Tiers that have last looked where they stand. */
  looked: readonly Backend[] = [];
  /** The cause to name in the end: that a cache lacks something explains less than that the database failed. */
  failure: Error | undefined;

  fails(thrown: unknown): void {
    if (this.failure === undefined || !(thrown instanceof CoverageGapError)) this.failure = toError(thrown);
  }
}

/** A part of a question and the backends that are asked for it. */
export interface Part {
  /** Null: no backend can answer. */
  readonly asked: Backend | 'all' | null;
  /** How much was done to bring tiers forward for it. */
  readonly steps: number;
}

/**
 * `told`: the part is answered. `enough`: and so is the question. `lacks`: the backend is not complete for it.
 * `passed`: it cannot be told like this: the backend failed, or records moved while they were read.
 */
export type Told = 'told' | 'enough' | 'lacks' | 'passed';

/** A list, a count or a lookup, as the loop sees it. */
export interface Question<P extends Part, A> {
  readonly met: Met;
  /** Plans all of it, as if nothing had been told. */
  begin(): readonly P[];
  /** Plans a part anew; `lacks`: the backend asked for it is not complete for it. */
  again(part: P, lacks: boolean, steps: number): readonly P[];
  /** Leaves nothing behind when it throws, or says `lacks` or `passed`. */
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
 * told; a part that is not told is planned again, by itself, with the coverage of that moment. One budget: `MAX_PLANS`.
 *
 *     a part                                  and then
 *     is told                                 the next one; after the last the answer, if the parts fit together
 *     is lacked: evicted, pruned meanwhile    planned again; for this part the backend comes last, others still ask it
 *     fails, hangs until its deadline         planned again; the backend is not asked again by this question
 *     is overtaken: an amended list moved     planned again
 *     has no backend                          tiers look where they stand, then late followers are waited for, then
 *                                             planned again; the waits of a question are bounded together
 *     do not fit together                     all of it is planned again, from states at or above the tear
 *
 *     the loop ends with
 *     the answer                              whole, of one state
 *     CCVDataNotFound, MessageNotFoundError   from a backend, or several together, complete for the id
 *     InvalidArgumentError                    of the question itself
 *     CoverageGapError                        a part without a backend and nothing left to bring forward, or the budget
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
    for (let plans = 1; ; plans += 1) {
      const untold = await this.#untold(question, parts, wait);
      if (untold !== null) {
        if (plans >= MAX_PLANS) throw question.gap(untold.part);
        parts.unshift(...question.again(untold.part, untold.lacks, untold.steps));
        continue;
      }
      const end = question.end(plans >= MAX_PLANS);
      if (end !== null) return end.answer;
      if (plans >= MAX_PLANS) throw question.gap(null);
      parts = [...question.begin()];
    }
  }

  /** Takes parts off the list in order, up to one that has to be planned again; null: all needed are told. */
  async #untold<P extends Part>(question: Question<P, unknown>, parts: P[], wait: Wait): Promise<Untold<P> | null> {
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      if (part.asked === null) {
        const steps = await this.#bringForward(question, part.steps, wait);
        if (steps === null) throw question.gap(part);
        return { part, lacks: false, steps };
      }
      const told = await this.#ask(question, part);
      if (told === 'enough') return null;
      if (told !== 'told') return { part, lacks: told === 'lacks', steps: part.steps };
    }
    return null;
  }

  async #ask<P extends Part>(question: Question<P, unknown>, part: P): Promise<Told> {
    const { asked } = part;
    if (asked !== null && asked !== 'all' && question.met.failed.has(asked)) return 'passed';
    try {
      return await question.ask(part);
    } catch (thrown) {
      if (isAnswer(thrown) || asked === null || asked === 'all') throw thrown;
      return passOver(question.met, asked, thrown, this.#common);
    }
  }

  /** Steps done once one of them brought something forward; null: none is left that does. */
  async #bringForward(
    { met, behind }: Pick<Question<Part, unknown>, 'met' | 'behind'>,
    done: number,
    wait: Wait,
  ): Promise<number | null> {
    for (let steps = done; steps <= LOOKS; steps += 1) {
      const { tiers, late } = behind();
      met.looked = steps < LOOKS ? await this.#look(met, tiers, wait) : [];
      if (met.looked.length > 0 || (steps === LOOKS && (await catchUp(late, wait)))) return steps + 1;
    }
    return null;
  }

  /** Lagging tiers look where they stand: other processes may have flushed since, and pruned up to there. */
  async #look(met: Met, tiers: readonly Backend[], wait: Wait): Promise<readonly Backend[]> {
    const looked = tiers.map(async (tier) => {
      if (tier.storage.kind !== 'archive') return [];
      const looking = tier.storage.refresh().catch((thrown: unknown) => {
        met.fails(thrown);
        throw thrown;
      });
      return (await wait(looking)) ? [tier] : [];
    });
    return (await Promise.all(looked)).flat();
  }

  /** Bounds the waits of one question together: by as long as each step may take once. */
  #wait(): Wait {
    const { clock } = this.#common;
    let leftMs = this.#waitMs * (LOOKS + 1);
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

interface Untold<P> {
  readonly part: P;
  readonly lacks: boolean;
  readonly steps: number;
}

/** Notes why a backend did not answer. */
export function passOver(met: Met, backend: Backend, thrown: unknown, { log }: Pick<Common, 'log'>): Told {
  met.fails(thrown);
  const told = { backend: backend.name, code: codeOf(thrown), err: toError(thrown) };
  if (thrown instanceof CoverageGapError) {
    log.debug(told, 'backend passed over');
    return 'lacks';
  }
  log.warn(told, 'backend passed over');
  met.failed.add(backend);
  return 'passed';
}

/** Not found is an answer of a backend that is complete for the id; an invalid question is answered by saying so. */
export function isAnswer(thrown: unknown): boolean {
  return (
    thrown instanceof CCVDataNotFoundError ||
    thrown instanceof MessageNotFoundError ||
    thrown instanceof InvalidArgumentError
  );
}

/** Waits for the first of the followers that are late. False when there is none. */
async function catchUp(late: readonly Backend[], wait: Wait): Promise<boolean> {
  const followers = late.flatMap(({ follower }) =>
    follower === null || follower.state === 'failing' ? [] : [follower],
  );
  if (followers.length === 0) return false;
  return await wait(Promise.any(followers.map((follower) => follower.confirm())));
}
