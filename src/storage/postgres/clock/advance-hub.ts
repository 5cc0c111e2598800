import type { Logger } from '../../../core/logger.js';
import type { ChangeSet } from '../../../model/batch.js';
import type { Coverage } from '../../../model/coverage.js';
import { fullCoverage } from '../../../model/coverage.js';
import { StorageSetBackError } from '../../../model/storage-errors.js';
import type { AdvanceEvent, AdvanceListener } from '../../storage.js';
import { type ClockRow, coverageOf } from './clock-row.js';
import type { ClockWatch } from './clock-watch.js';

/** The highest state of the store that one instance has seen, and its listeners. */
export interface AdvanceHub {
  /** A snapshot showed this clock. */
  seen(clock: ClockRow): void;
  /**
   * A commit seen here before a snapshot was taken must be in it. A snapshot without it is of a store that was set
   * back: all listeners are told, and go on from there.
   * @throws StorageSetBackError
   */
  requireSeen(clock: ClockRow, seenPosition: bigint): void;
  /** This instance committed. */
  committed(changes: ChangeSet): void;
  /** A writer committed up to this position; told on unless it has been told before. */
  advanced(throughPosition: bigint): void;
  subscribe(listener: AdvanceListener): () => void;
  coverage(): Coverage;
}

/**
 * @param name the storage's, for errors.
 * @param log hears of listeners that throw: the others, and the committing writer, do not.
 * @param watch is told of the time of every clock that a snapshot showed.
 */
export function createAdvanceHub(log: Logger, name: string, watch?: ClockWatch): AdvanceHub {
  const listeners = new Set<AdvanceListener>();
  let latest: ClockRow | null = null;
  let toldPosition = 0n;

  function tell(event: AdvanceEvent): void {
    for (const listener of listeners)
      try {
        listener(event);
      } catch (thrown) {
        log.error({ err: thrown, event: event.kind }, 'storage listener failed');
      }
  }

  return {
    seen(clock) {
      // snapshots of several connections arrive in any order; pruned records stay pruned
      const [newer, older] = !latest || clock.lastPosition >= latest.lastPosition ? [clock, latest] : [latest, clock];
      latest =
        older && older.floorPosition > newer.floorPosition
          ? { ...newer, floorMs: older.floorMs, floorPosition: older.floorPosition }
          : newer;
      if (newer === clock) watch?.(clock.lastMs);
    },
    requireSeen(clock, seenPosition) {
      const { lastPosition: position, lastMs: ingestionMs } = clock;
      if (position >= seenPosition) return;
      latest = clock;
      toldPosition = position;
      const error = new StorageSetBackError(name, seenPosition, position);
      log.error({ storage: name, err: error }, 'storage was set back');
      tell({ kind: 'set-back', head: { position, ingestionMs } });
      throw error;
    },
    committed(changes) {
      toldPosition = changes.throughPosition;
      tell({ kind: 'committed', changes });
    },
    advanced(throughPosition) {
      if (throughPosition <= toldPosition) return;
      toldPosition = throughPosition;
      tell({ kind: 'advanced', throughPosition });
    },
    subscribe(listener) {
      // an identity of its own, so that a function subscribed twice is told twice
      const own: AdvanceListener = (event) => listener(event);
      listeners.add(own);
      return () => {
        listeners.delete(own);
      };
    },
    coverage: () => (latest ? coverageOf(latest) : fullCoverage(0n, 0n)),
  };
}
