import { ClosedError } from '../../core/errors.js';
import type { ChangeSet } from '../../model/batch.js';
import type { AsOf } from '../../model/coverage.js';
import { BoundaryLog } from './boundary-log.js';
import { EvictedIds } from './evicted-ids.js';
import type { MemoryCoverage } from './memory-coverage.js';
import { RecordStore } from './record-store.js';

/** All that a memory storage holds and knows, shared by the parts that read, write and evict. */
export class MemoryState {
  readonly name: string;
  readonly coverage: MemoryCoverage;
  store = new RecordStore();
  boundaries = new BoundaryLog();
  evictedIds = new EvictedIds();
  closed = false;

  constructor(name: string, coverage: MemoryCoverage) {
    this.name = name;
    this.coverage = coverage;
  }

  /** @throws ClosedError */
  requireOpen(): void {
    if (this.closed) throw new ClosedError(`storage ${this.name}`);
  }

  forgetAll(): void {
    this.store = new RecordStore();
    this.boundaries = new BoundaryLog();
    this.evictedIds = new EvictedIds();
  }

  asOf(): AsOf {
    return { position: this.coverage.throughPosition, movePosition: this.coverage.movePosition };
  }

  /** The changes after a position that the coverage covers. */
  changeSet(afterPosition: bigint, limit: number, readMs: number): ChangeSet {
    const { throughPosition: headPosition, movePosition, headMs } = this.coverage;
    const changes = this.store.changes(afterPosition, headPosition, limit);
    const last = changes.at(-1);
    return {
      afterPosition,
      throughPosition: last && changes.length === limit ? last.position : headPosition,
      headPosition,
      headMs,
      headMovePosition: movePosition,
      readMs,
      changes,
    };
  }
}
