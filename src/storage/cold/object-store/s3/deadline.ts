import type { Clock } from '../../../../core/clock.js';

/** The slowest transfer, 1 MB/s: the bytes of a request extend its deadline at this rate. */
const SLOWEST_BYTES_PER_MS = 1000;

/** The cause of a request's end before its answer. */
export type EndedBy = 'deadline' | 'abort';

/**
 * The life of one request: its abort signal and its deadline, which is a fixed time plus the time that its bytes may
 * take. `end` must be called when it is over.
 */
export class RequestScope {
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  readonly #startedMs: number;
  #allowedMs: number;
  #cancelTimer: () => void;
  #endedBy: EndedBy | undefined;

  constructor(clock: Clock, timeoutMs: number, sentBytes: number) {
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
    this.#allowedMs = timeoutMs + sentBytes / SLOWEST_BYTES_PER_MS;
    this.#cancelTimer = clock.after(this.#allowedMs, () => this.#stop('deadline'));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Set once the request was ended by its deadline or by `abort`. */
  get endedBy(): EndedBy | undefined {
    return this.#endedBy;
  }

  get elapsedMs(): number {
    return this.#clock.monotonicMs() - this.#startedMs;
  }

  /** Allows the time that receiving so many bytes may take. */
  expectBytes(sizeBytes: number): void {
    if (this.#endedBy) return;
    this.#cancelTimer();
    this.#allowedMs += sizeBytes / SLOWEST_BYTES_PER_MS;
    this.#cancelTimer = this.#clock.after(Math.max(0, this.#allowedMs - this.elapsedMs), () => this.#stop('deadline'));
  }

  /** `work`, or a rejection as soon as the request is ended, also where `work` does not listen to the signal. */
  async race<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#controller;
    let onAbort: () => void = () => undefined;
    const ended = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([work, ended]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Ends the request from outside. */
  abort(): void {
    this.#stop('abort');
  }

  /** Frees the timer, and the connection of an answer that was not read to its end. */
  end(complete: boolean): void {
    this.#cancelTimer();
    if (!complete && !this.#controller.signal.aborted) this.#controller.abort();
  }

  #stop(by: EndedBy): void {
    if (this.#endedBy) return;
    this.#endedBy = by;
    this.#cancelTimer();
    this.#controller.abort();
  }
}
