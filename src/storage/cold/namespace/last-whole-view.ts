import type { ColdStorageRole } from './cold-storage-options.js';
import { isWhole } from './head.js';
import type { NamespaceView } from './view.js';

/**
 * The last whole state: one that has every change known of. While a backlog is flushed in parts the newest states are
 * not whole, and lists are answered from this one: its files and commits stay for the grace of a vacuum.
 */
export class LastWholeView {
  readonly #role: ColdStorageRole;
  #view: NamespaceView | null = null;

  constructor(role: ColdStorageRole) {
    this.#role = role;
  }

  see(view: NamespaceView): void {
    // a leader answers for the present, which an older view is not
    if (this.#role === 'leader' || view.position === 0n || !isWhole(view)) return;
    if (view.position >= (this.#view?.position ?? 0n)) this.#view = view;
  }

  /** Called when its files are gone. */
  forget(): void {
    this.#view = null;
  }

  /** The view to answer from when `newest` is the newest. */
  insteadOf(newest: NamespaceView): NamespaceView {
    return isWhole(newest) ? newest : (this.#view ?? newest);
  }
}
