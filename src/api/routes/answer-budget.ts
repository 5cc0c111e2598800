import { counter, gauge, type Registry } from '../../core/metrics.js';
import { HttpError } from '../http/http-error.js';

/** Memory that all answers under way share. */
export interface AnswerBudget {
  /**
   * Takes memory until the returned function is called, once or more often. An answer of any size is possible where no
   * other is under way.
   * @throws HttpError 503
   */
  take(sizeBytes: number): () => void;
  /** True when `take` of the same size would succeed now. */
  fits(sizeBytes: number): boolean;
}

/** At most `maxBytes` together. */
export function createAnswerBudget(maxBytes: number, registry: Registry): AnswerBudget {
  let takenBytes = 0;
  const taken = gauge(registry, {
    name: 'indexer_http_answers_under_way_bytes',
    help: 'Memory of the answers that are being sent, as far as they count against MaxAnswerBytes.',
  });
  const refused = counter(registry, {
    name: 'indexer_http_answers_refused_total',
    help: 'Answers refused with 503 because those under way took MaxAnswerBytes.',
  });
  const fits = (sizeBytes: number) => takenBytes + sizeBytes <= maxBytes;
  return {
    fits,
    take(sizeBytes) {
      if (takenBytes > 0 && !fits(sizeBytes)) {
        refused.inc();
        throw new HttpError(503, 'too many large answers at once');
      }
      takenBytes += sizeBytes;
      taken.inc(sizeBytes);
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        takenBytes -= sizeBytes;
        taken.dec(sizeBytes);
      };
    },
  };
}
