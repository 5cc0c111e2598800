import type { Steps } from '../../../src/storage/cold/parquet/steps.js';

/** Does all steps now. */
export function atOnce<R>(steps: Steps<R>): R {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
