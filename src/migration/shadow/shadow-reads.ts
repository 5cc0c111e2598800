import { setMaxListeners } from 'node:events';
import type { Common } from '../../core/common.js';
import { AbortedError, assertNever, toError } from '../../core/errors.js';
import { CoverageGapError } from '../../model/storage-errors.js';
import type { AdvanceEvent, Storage } from '../../storage/storage.js';
import { type Method, wrapMethods } from '../../storage/wrapped-methods.js';
import { type Answer, answerOf, answerOfError, firstDifference, isShadowed, type ShadowedOperation } from './answer.js';
import { type ShadowFigures, type ShadowOutcome, ShadowTally } from './figures.js';

/** Live queries that are also asked of another store. */
export interface ShadowReads<S extends Storage> {
  /** The live storage; a share of its lists, counts and lookups is asked again. Every member is the live one's. */
  readonly storage: S;
  figures(): ShadowFigures;
  /** Ends what is under way, and asks nothing any more; `storage` goes on as the live one. Closes neither store. */
  close(): Promise<void>;
}

export interface ShadowReadOptions<S extends Storage> {
  /** The storage that answers. */
  readonly live: S;
  /** The store to ask as well: it follows the live one. */
  readonly shadow: Storage;
  /** The share of queries that are asked again, 0 to 1, at this moment. */
  readonly share: () => number;
  readonly common: Common;
  /** Most that are under way; above, a query is only counted. Default 4. */
  readonly mostUnderWay?: number;
  /** How long the shadow may take to come to hold the answer's position. Default 10 s. */
  readonly patienceMs?: number;
  /** Most differences that are kept, the last ones. Default 100. */
  readonly listed?: number;
}

/** A live query, to be asked of either side. */
interface Question {
  readonly operation: ShadowedOperation;
  readonly args: readonly unknown[];
  readonly live: Method;
}

interface Timed {
  readonly answer: Answer;
  readonly durationMs: number;
}

const LOOK_MS = 20;
/** How often a live answer may change under the comparison. */
const ATTEMPTS = 3;

/**
 * Asks a share of live queries of another store as well, once that holds the position of the live answer, and compares
 * the answers byte by byte. The live query is never held up, nor fails for it: comparisons run behind it, so many at a
 * time.
 *
 *     live answer A ─► shadow at A's position? ─ not in time ─► behind
 *                      shadow answer B = A ─────────────────► same
 *                      B ≠ A: live asked again, once it stands where B does:
 *                                                A' = A ─────► different   (B lies between two equal answers,
 *                                                               and no record left the lists between them)
 *                                                otherwise ──► again with A', at last: overtaken
 */
export function createShadowReads<S extends Storage>(options: ShadowReadOptions<S>): ShadowReads<S> {
  const { live, shadow, share, common, mostUnderWay = 4, patienceMs = 10_000, listed = 100 } = options;
  const { clock, random, log } = common;
  const tally = new ShadowTally(common, listed);
  const underWay = new Set<Promise<void>>();
  const stop = new AbortController();
  /** A database is told of the commits that others bring to it before it is asked for one. */
  let toldPosition = 0n;
  const unsubscribe = shadow.subscribe((event) => {
    toldPosition = positionOf(event);
  });
  // as many wait as may be under way
  setMaxListeners(0, stop.signal);

  async function ask(method: Method, { operation, args }: Question): Promise<Timed> {
    const beganMs = clock.monotonicMs();
    return await timed(operation, method(...args), beganMs);
  }

  async function timed(operation: ShadowedOperation, asked: unknown, beganMs: number): Promise<Timed> {
    const durationMs = () => clock.monotonicMs() - beganMs;
    try {
      const value = await asked;
      return { durationMs: durationMs(), answer: answerOf(operation, value) };
    } catch (thrown) {
      const answer = answerOfError(thrown);
      if (!answer) throw thrown;
      return { durationMs: durationMs(), answer };
    }
  }

  /** The shadow's answer once it holds the position, and a whole state. */
  async function askShadow(question: Question, position: bigint): Promise<Timed | 'behind' | 'failed'> {
    const untilMs = clock.monotonicMs() + patienceMs;
    const method = (shadow[question.operation] as Method).bind(shadow);
    for (;;) {
      if (toldPosition >= position || shadow.coverage().throughPosition >= position)
        try {
          return await ask(method, question);
        } catch (thrown) {
          if (!(thrown instanceof CoverageGapError)) {
            tally.failed(toError(thrown));
            return 'failed';
          }
        }
      if (clock.monotonicMs() >= untilMs) return 'behind';
      await clock.sleep(LOOK_MS, stop.signal);
    }
  }

  /**
   * Whether the live storage answers from this position or above, from now on: it does not go back behind an answer. A
   * memory can be behind the shadow.
   */
  async function liveReaches(position: bigint): Promise<boolean> {
    const untilMs = clock.monotonicMs() + patienceMs;
    const present = { startMs: clock.nowMs(), endMs: Number.POSITIVE_INFINITY };
    for (;;) {
      const { asOf } = await live.count('message', {
        ...present,
        sourceChainSelectors: null,
        destChainSelectors: null,
        contents: null,
      });
      if (asOf.position >= position) return true;
      if (clock.monotonicMs() >= untilMs) return false;
      await clock.sleep(LOOK_MS, stop.signal);
    }
  }

  async function compare(question: Question, first: Timed): Promise<ShadowOutcome> {
    const { operation } = question;
    const askedMs = clock.nowMs() - first.durationMs;
    let { answer } = first;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const other = await askShadow(question, atLeast(answer, live));
      if (typeof other === 'string') return other;
      if (attempt === 0) {
        tally.took(operation, 'live', first.durationMs);
        tally.took(operation, 'shadow', other.durationMs);
      }
      const difference = await firstDifference(answer, other.answer);
      if (!difference) return 'same';
      if (!(await liveReaches(atLeast(other.answer, shadow)))) return 'overtaken';
      const again = await ask(question.live, question);
      // a record that came and left between the two would be in the shadow's answer alone
      const isUnmoved = answer.movePosition === again.answer.movePosition;
      if (isUnmoved && !(await firstDifference(answer, again.answer))) {
        const { position } = answer;
        tally.differed({ operation, query: textOf(question.args), askedMs, position, first: difference });
        return 'different';
      }
      answer = again.answer;
    }
    return 'overtaken';
  }

  async function follow(question: Question, asked: unknown, beganMs: number): Promise<void> {
    const { operation } = question;
    let first: Timed;
    try {
      first = await timed(operation, asked, beganMs);
    } catch {
      // the live query failed: its caller knows
      return;
    }
    try {
      tally.ended(operation, await compare(question, first));
    } catch (thrown) {
      if (thrown instanceof AbortedError) return;
      tally.ended(operation, 'failed');
      tally.failed(toError(thrown));
      log.debug({ err: toError(thrown), operation }, 'a shadow read failed');
    }
  }

  function isWanted(operation: ShadowedOperation): boolean {
    if (stop.signal.aborted || random() >= share()) return false;
    if (underWay.size < mostUnderWay) return true;
    tally.ended(operation, 'dropped');
    return false;
  }

  const storage = wrapMethods(live, (name, method) => {
    if (!isShadowed(name)) return method;
    return (...args) => {
      if (!isWanted(name)) return method(...args);
      const beganMs = clock.monotonicMs();
      const asked = method(...args);
      const work = follow({ operation: name, args, live: method }, asked, beganMs).finally(() => underWay.delete(work));
      underWay.add(work);
      return asked;
    };
  });

  return {
    storage,
    figures: () => tally.figures(),
    async close() {
      stop.abort();
      unsubscribe();
      await Promise.allSettled(underWay);
    },
  };
}

/** Where the storage stood when it gave the answer, or a bit later: a lookup does not say that itself. */
function atLeast({ position }: Answer, storage: Storage): bigint {
  const { throughPosition } = storage.coverage();
  return position > throughPosition ? position : throughPosition;
}

function positionOf(event: AdvanceEvent): bigint {
  switch (event.kind) {
    case 'committed':
      return event.changes.throughPosition;
    case 'advanced':
      return event.throughPosition;
    case 'set-back':
      return event.head.position;
    default:
      return assertNever(event, 'kind of advance');
  }
}

function textOf(args: readonly unknown[]): string {
  return JSON.stringify(args, (_, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    if (value instanceof Set) return [...value];
    return value === Number.POSITIVE_INFINITY ? 'unlimited' : value;
  });
}
