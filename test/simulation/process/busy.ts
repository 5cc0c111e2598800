/** Counts work under way in the tiers of a run, so that a command ends when all that it set off has ended. */
export class Busy {
  #count = 0;
  #waiting: (() => void)[] = [];

  async track<T>(work: Promise<T>): Promise<T> {
    this.#count += 1;
    try {
      return await work;
    } finally {
      this.#count -= 1;
      if (this.#count === 0) for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }

  /** Resolves when nothing is under way and nothing follows from what has just ended. */
  async idle(): Promise<void> {
    for (let calm = 0; calm < CALM_TURNS; calm += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#count === 0) continue;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      calm = -1;
    }
  }
}

const CALM_TURNS = 4;
