interface Waiter {
  readonly reached: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Callers that wait for a follower to get somewhere. */
export class Waiters {
  #waiting: Waiter[] = [];

  /** Resolves when `reached` turns true, rejects when the follower fails before that. */
  until(reached: () => boolean): Promise<void> {
    if (reached()) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ reached, resolve, reject }));
  }

  /** Lets go of every waiter whose condition is met. */
  settle(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      if (waiter.reached()) waiter.resolve();
      else this.#waiting.push(waiter);
    }
  }

  /** Tells everyone that the attempt they waited for failed. */
  fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) waiter.reject(error);
  }
}
