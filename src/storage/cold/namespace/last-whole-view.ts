import type { S3StorageRole } from './cold-storage-options.js';
import { type ColdView, isWhole } from './view.js';

/**
 * The last state that this process has seen and that had everything which was known to be. While a backlog is flushed in
 * parts the newest states have not, and lists are answered from this one: its files stay for the grace of a vacuum.
 */
export class LastWholeView {
  readonly #role: S3StorageRole;
  #view: ColdView | null = null;

  constructor(role: S3StorageRole) {
    this.#role = role;
  }

  see(view: ColdView): void {
    // one that nobody knows more than answers for the present, which this is not
    if (this.#role === 'sole' || view.position === 0n || !isWhole(view)) return;
    if (view.position >= (this.#view?.position ?? 0n)) this.#view = view;
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
