import type { Backoff } from './backoff.js';
import type { Clock } from './clock.js';
import { IndexerError, toError } from './errors.js';

export type CircuitState = 'closed' | 'open' | 'half-open';

/**
 * The meaning of an error: `against` the service, an `answer` of it, or `neither`, which leaves the failures in a row
 * as they are.
 */
export type Verdict = 'against' | 'answer' | 'neither';

/** Failures in a row that speak against a service. */
export interface FailuresInARow {
  readonly last: Error;
  readonly count: number;
}

/** The circuit is open: the attempt was not made. `cause` is the last failure. */
export class CircuitOpenError extends IndexerError {
  constructor(failures: FailuresInARow | null) {
    super('CIRCUIT_OPEN', 'the circuit is open', true, { cause: failures?.last });
  }
}

/** Options of a circuit breaker. */
export interface CircuitBreakerOptions {
  readonly clock: Clock;
  /** Failures in a row that open the circuit. */
  readonly failuresToOpen: number;
  /** Time in the open state: doubling with every failed trial. */
  readonly openBackoff: Backoff;
  readonly verdictOf: (error: Error) => Verdict;
  readonly onChange: (state: CircuitState, failures: FailuresInARow | null) => void;
}

/**
 * Leaves a service alone that does not answer.
 *
 *     closed ──── failures in a row ──────────→ open
 *     open ────── a while, then ever longer ──→ half-open   (one attempt is the trial, others wait for it)
 *     half-open ─ a failure of the trial ─────→ open
 *     half-open ─ any other outcome ──────────→ closed
 *
 * Attempts that began before the circuit opened change nothing of an open or half-open one.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  #state: CircuitState = 'closed';
  #failures: FailuresInARow | null = null;
  #failedTrials = 0;
  /** On the monotonic clock. */
  #trialFromMs = 0;
  #trial: Promise<unknown> = Promise.resolve();

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  get state(): CircuitState {
    return this.#state;
  }

  get failures(): FailuresInARow | null {
    return this.#failures;
  }

  /** Makes an attempt. @throws CircuitOpenError when it was not made, and the errors of `attempt`. */
  async run<T>(attempt: () => Promise<T>): Promise<T> {
    while (this.#state === 'half-open') await this.#trial.catch(() => undefined);
    if (this.#state === 'closed') return await this.#attempt(attempt, false);
    if (this.#options.clock.monotonicMs() < this.#trialFromMs) throw new CircuitOpenError(this.#failures);
    this.#change('half-open');
    const trial = this.#attempt(attempt, true);
    this.#trial = trial;
    return await trial;
  }

  async #attempt<T>(attempt: () => Promise<T>, isTrial: boolean): Promise<T> {
    try {
      const value = await attempt();
      this.#settle('answer', isTrial);
      return value;
    } catch (thrown) {
      const error = toError(thrown);
      const verdict = this.#options.verdictOf(error);
      if (verdict === 'against') this.#failures = { last: error, count: (this.#failures?.count ?? 0) + 1 };
      this.#settle(verdict, isTrial);
      throw thrown;
    }
  }

  #settle(verdict: Verdict, isTrial: boolean): void {
    const { failuresToOpen } = this.#options;
    if (verdict === 'answer' && (isTrial || this.#state === 'closed')) this.#failures = null;
    if (verdict !== 'against') {
      if (isTrial) this.#change('closed');
    } else if (isTrial) this.#open(this.#failedTrials + 1);
    else if (this.#state === 'closed' && (this.#failures?.count ?? 0) >= failuresToOpen) this.#open(0);
  }

  #open(failedTrials: number): void {
    const { clock, openBackoff } = this.#options;
    this.#failedTrials = failedTrials;
    const openMs = Math.min(openBackoff.maxMs, openBackoff.baseMs * 2 ** Math.min(failedTrials, 52));
    this.#trialFromMs = clock.monotonicMs() + openMs;
    this.#change('open');
  }

  #change(state: CircuitState): void {
    this.#state = state;
    this.#options.onChange(state, this.#failures);
  }
}
