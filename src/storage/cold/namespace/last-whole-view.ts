import type { ColdStorageRole } from './cold-storage-options.js';
import { isWhole, type NamespaceView } from './view.js';

/**
 * The last state that this process has seen and that had everything which was known to be. While a backlog is flushed in
 * parts the newest states have not, and lists are answered from this one: its files stay for the grace of a vacuum.
 */
export class LastWholeView {
  readonly #role: ColdStorageRole;
  #view: NamespaceView | null = null;

  constructor(role: ColdStorageRole) {
    this.#role = role;
  }

  see(view: NamespaceView): void {
    // one that nobody knows more than answers for the present, which this is not
    if (this.#role === 'leader' || view.position === 0n || !isWhole(view)) return;
    if (view.position >= (this.#view?.position ?? 0n)) this.#view = view;
  }

  /** Its files are gone. */
  forget(): void {
    this.#view = null;
  }

  /** What to answer from when `newest` is the newest. */
  insteadOf(newest: NamespaceView): NamespaceView {
    return isWhole(newest) ? newest : (this.#view ?? newest);
  }
}
