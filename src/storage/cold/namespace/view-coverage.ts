import type { Hex } from '../../../core/hex.js';
import { type Coverage, covers } from '../../../model/coverage.js';
import { CoverageGapError } from '../../../model/storage-errors.js';
import type { ColdStorageRole } from './cold-storage-options.js';
import { isWhole } from './head.js';
import type { NamespaceView } from './view.js';

/** The coverage of a view, and the refusal of questions beyond it. */
export class ViewCoverage {
  readonly #name: string;
  readonly #role: ColdStorageRole;

  constructor(name: string, role: ColdStorageRole) {
    this.#name = name;
    this.#role = role;
  }

  /** `view` is null before anything was read. */
  coverage(view: NamespaceView | null): Coverage {
    if (view === null || !isWhole(view))
      return {
        afterMs: Number.POSITIVE_INFINITY,
        throughMs: -1,
        // a question for all changes makes the storage look
        afterPosition: view === null ? 0n : view.position + 1n,
        throughPosition: view?.position ?? 0n,
        movePosition: view?.movePosition ?? 0n,
      };
    return {
      afterMs: -1,
      throughMs: this.#role === 'leader' ? Number.POSITIVE_INFINITY : view.headMs,
      afterPosition: 0n,
      throughPosition: view.position,
      movePosition: view.movePosition,
    };
  }

  /** @throws CoverageGapError naming the part of the range that is not covered. */
  requireRange(view: NamespaceView, startMs: number, endMs: number): void {
    const coverage = this.coverage(view);
    if (startMs > endMs || covers(coverage, startMs, endMs)) return;
    const uncoveredMs = isWhole(view) ? Math.max(startMs, coverage.throughMs + 1) : startMs;
    throw new CoverageGapError({ kind: 'time', startMs: uncoveredMs, endMs }, `storage ${this.#name}`);
  }

  /** For a question about the present. @throws CoverageGapError unless this storage is the leader. */
  requirePresent(view: NamespaceView): void {
    this.requireRange(view, 0, Number.POSITIVE_INFINITY);
  }

  /** @throws CoverageGapError unless the view must hold every record of an id. */
  requireId(view: NamespaceView, messageId: Hex): void {
    if (this.#role === 'leader' && isWhole(view)) return;
    throw new CoverageGapError({ kind: 'messageId', messageId }, `storage ${this.#name}`);
  }
}
