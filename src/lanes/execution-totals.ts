import type { StoredExecution } from '../model/records.js';
import { RecentlyTold } from './oldest-first.js';

/** Executions that are counted once however often they are told. */
const MOST_EXECUTIONS = 10_000;

type State = 'success' | 'failure';

/** How many executions ended how, of all that were ever stored; those that a reorg removed do not count. */
export class ExecutionTotals {
  readonly #told: RecentlyTold<State>;
  readonly #counts: Record<State, number>;

  constructor(text?: ReturnType<ExecutionTotals['toText']>) {
    this.#told = new RecentlyTold(MOST_EXECUTIONS, text?.told);
    this.#counts = { success: 0, failure: 0, ...text?.counts };
  }

  get success(): number {
    return this.#counts.success;
  }

  get failure(): number {
    return this.#counts.failure;
  }

  note({ messageId, state, orphaned, place }: StoredExecution): void {
    if (state !== 'success' && state !== 'failure') return;
    const key = `${messageId}:${place.blockHash}:${place.logIndex}`;
    const before = this.#told.get(key);
    if (orphaned) {
      this.#told.delete(key);
      if (before) this.#counts[before] -= 1;
      return;
    }
    if (before) return;
    this.#told.set(key, state);
    this.#counts[state] += 1;
  }

  toText() {
    return { counts: { ...this.#counts }, told: this.#told.toJSON() };
  }
}
