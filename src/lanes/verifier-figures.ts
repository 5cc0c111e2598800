import type { StoredVerifierResult } from '../model/records.js';
import { EventWindows } from './event-windows.js';
import { RecentlyTold } from './oldest-first.js';

/** Results that are counted once however often they are told. */
const MOST_RESULTS = 10_000;
/** Names are those of configured readers, now and before. */
const MOST_VERIFIERS = 1_000;

type Told = readonly [verifierName: string, ingestedMs: number, tookMs: number];

/** The results of each verifier by the time of their ingestion, with the time since their message was ingested. */
export class VerifierFigures {
  readonly #events: Map<string, EventWindows>;
  readonly #told: RecentlyTold<Told>;

  constructor(text?: ReturnType<VerifierFigures['toText']>) {
    this.#events = new Map(text?.events.map(([name, events]) => [name, new EventWindows(1, events)]));
    this.#told = new RecentlyTold(MOST_RESULTS, text?.told);
  }

  /**
   * A result was told: one that moved counts at its new time, one that a reorg removed no more.
   * @returns whether it moved: it was told before with another time.
   */
  note(result: StoredVerifierResult, newestMs: number): boolean {
    const { messageId, verifierSourceAddress, verifierDestAddress, verifierName, ingestionMs, firstMs } = result;
    const key = `${messageId}${verifierSourceAddress}${verifierDestAddress}`;
    const before = this.#told.get(key);
    if (before && before[1] === ingestionMs && !result.orphaned) return false;
    if (before) this.#count(before, -1, newestMs);
    this.#told.delete(key);
    if (result.orphaned) return false;
    const told: Told = [verifierName, ingestionMs, Math.max(0, ingestionMs - firstMs)];
    this.#told.set(key, told);
    this.#count(told, 1, newestMs);
    return before !== undefined;
  }

  /** The events of a verifier: one kind, its answers. */
  of(verifierName: string): EventWindows {
    return this.#events.get(verifierName) ?? new EventWindows(1);
  }

  toText() {
    return {
      events: [...this.#events].map(([name, events]) => [name, events.toJSON()] as const),
      told: this.#told.toJSON(),
    };
  }

  #count([name, atMs, tookMs]: Told, sign: 1 | -1, newestMs: number): void {
    let events = this.#events.get(name);
    if (events === undefined) {
      if (this.#events.size >= MOST_VERIFIERS) return;
      events = new EventWindows(1);
      this.#events.set(name, events);
    }
    events.note(0, atMs, tookMs, sign, newestMs);
  }
}
