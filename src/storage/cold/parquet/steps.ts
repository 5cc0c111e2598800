import { nextTurn } from '../../../core/event-loop.js';

/** Work in steps of some milliseconds: it may be paused wherever it yields. */
export type Steps<R> = Generator<void, R>;

/** Lets everything else run between two steps. */
export async function inTurns<R>(steps: Steps<R>): Promise<R> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await nextTurn();
  }
}
