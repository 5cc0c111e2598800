import { type ColdView, isWhole } from './cold-view.js';

/**
 * The last state that this process has seen and that had everything which was known to be. While a backlog is flushed in
 * parts the newest states have not, and lists are answered from this one: its files stay for the grace of a vacuum.
 */
export class LastWholeView {
  #view: ColdView | null = null;

  see(view: ColdView): void {
    if (view.position > 0n && isWhole(view) && view.position >= (this.#view?.position ?? 0n)) this.#view = view;
  }

  /** Its files are gone. */
  forget(): void {
    this.#view = null;
  }

  /** What to answer from when `newest` is the newest. */
  insteadOf(newest: ColdView): ColdView {
    return isWhole(newest) ? newest : (this.#view ?? newest);
  }
}
