import type { Clock } from '../../../core/clock.js';
import { IndexerError } from '../../../core/errors.js';
import { nextTurn } from '../../../core/event-loop.js';

/** Queries under way, as long as none is late. */
const MOST_QUERIES = 2;
/** Questions of a query. */
const MOST_QUESTIONS = 128;
/** Questions without a query yet. */
const MOST_WAITING = 4_096;
/** A query that takes longer does not keep the next ones: it may never end. */
const LATE_MS = 100;

interface Asked<Q, A> {
  readonly question: Q;
  resolve(answer: A): void;
  reject(thrown: unknown): void;
}

/**
 * Questions that wait in one turn of the event loop share a query, which begins after each of them was asked. The more
 * is asked, the more share one: at most two queries are under way, and the others wait for the next.
 *
 * waiting → asked → answered | (refused together with others) asked alone → answered | failed
 *
 * @param ask answers questions in their order, by one query.
 * @param refuse makes the error of a question when too many wait.
 */
export function createSharedQuery<Q, A>(
  ask: (questions: readonly Q[]) => Promise<readonly A[]>,
  { clock, refuse }: { readonly clock: Clock; readonly refuse: () => Error },
): (question: Q) => Promise<A> {
  const waiting: Asked<Q, A>[] = [];
  let underWay = 0;
  let isBeginning = false;

  function begin(): void {
    if (isBeginning || waiting.length === 0 || underWay >= MOST_QUERIES) return;
    isBeginning = true;
    nextTurn().then(() => {
      isBeginning = false;
      run(waiting.splice(0, MOST_QUESTIONS));
      begin();
    });
  }

  function run(asked: readonly Asked<Q, A>[]): void {
    let isCounted = true;
    const leave = () => {
      if (isCounted) underWay -= 1;
      isCounted = false;
      begin();
    };
    underWay += 1;
    const cancel = clock.after(LATE_MS, leave);
    answer(asked).then(() => {
      cancel();
      leave();
    });
  }

  /** Never rejects. */
  async function answer(asked: readonly Asked<Q, A>[]): Promise<void> {
    try {
      const answers = await ask(asked.map(({ question }) => question));
      asked.forEach(({ resolve }, index) => resolve(answers[index] as A));
    } catch (thrown) {
      // a question that cannot be answered must not take the others with it
      const mayBeOfOne = asked.length > 1 && !(thrown instanceof IndexerError && thrown.retryable);
      if (mayBeOfOne) await Promise.all(asked.map((each) => answer([each])));
      else for (const { reject } of asked) reject(thrown);
    }
  }

  return (question) =>
    new Promise((resolve, reject) => {
      if (waiting.length >= MOST_WAITING) return reject(refuse());
      waiting.push({ question, resolve, reject });
      begin();
    });
}
