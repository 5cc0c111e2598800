/** The fields that a wheel keeps in its items. */
export interface Timed {
  /** When it is due, on the wheel's time line. */
  dueMs: number;
  /** The slot that holds it; -1 outside the wheel. */
  slot: number;
}

/**
 * Items by the time they are due, in slots of one tick each: scheduling and cancelling cost the same for ten items as
 * for a million, and a tick looks only at its own slot. Items due beyond one turn stay in their slot for another.
 */
export class TimingWheel<T extends Timed> {
  readonly #tickMs: number;
  readonly #slots: Set<T>[];
  /** The last tick that was looked at. */
  #tick: number;

  constructor(options: { readonly tickMs: number; readonly slots: number; readonly nowMs: number }) {
    this.#tickMs = options.tickMs;
    this.#slots = Array.from({ length: options.slots }, () => new Set<T>());
    this.#tick = Math.floor(options.nowMs / options.tickMs);
  }

  /** Holds an item that is in no slot until `dueMs`, rounded up to a whole tick. */
  schedule(item: T, dueMs: number): void {
    const tick = Math.max(this.#tick + 1, Math.ceil(dueMs / this.#tickMs));
    item.dueMs = dueMs;
    item.slot = tick % this.#slots.length;
    this.#slots[item.slot]?.add(item);
  }

  /** Takes an item out; nothing when it is not in. */
  cancel(item: T): void {
    this.#slots[item.slot]?.delete(item);
    item.slot = -1;
  }

  /** Takes out and gives everything that is due by now. */
  advance(nowMs: number): readonly T[] {
    const due: T[] = [];
    const nowTick = Math.floor(nowMs / this.#tickMs);
    const turns = Math.min(nowTick - this.#tick, this.#slots.length);
    for (let back = turns - 1; back >= 0; back--) {
      const slot = this.#slots[(nowTick - back) % this.#slots.length];
      for (const item of slot ?? []) {
        if (item.dueMs > nowMs) continue;
        slot?.delete(item);
        item.slot = -1;
        due.push(item);
      }
    }
    this.#tick = Math.max(this.#tick, nowTick);
    return due;
  }
}
