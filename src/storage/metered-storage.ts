import type { Common } from '../core/common.js';
import { IndexerError } from '../core/errors.js';
import { type Observe, seriesHistogram } from '../core/histogram-series.js';
import { counter, histogramView } from '../core/metrics.js';
import type { ChangeSet, WriteOutcome } from '../model/batch.js';
import type { ListedKind } from '../model/list-kinds.js';
import { type BackendStorage, standsAt } from './backend-storage.js';
import { type Method, wrapMethods } from './wrapped-methods.js';

const BUCKETS_SECONDS = [1e-5, 5e-5, 2e-4, 1e-3, 5e-3, 0.02, 0.1, 0.5, 2, 10, 60];

/** Errors that answer the question that was asked: they are no sign of trouble and are not counted as errors. */
const ANSWERS: ReadonlySet<string> = new Set([
  'CCV_DATA_NOT_FOUND',
  'MESSAGE_NOT_FOUND',
  'DUPLICATE_CCV_DATA',
  'CONFLICTING_CCV_DATA',
  'CURSOR_CONFLICT',
  'LEASE_LOST',
  'COVERAGE_GAP',
  'INVALID_ARGUMENT',
]);

type MethodOf<S> = S extends unknown
  ? { [K in keyof S]: S[K] extends (...args: never[]) => unknown ? K : never }[keyof S]
  : never;

/** Operations of the two kinds of listed record. */
type ByKind = Readonly<Record<ListedKind, string>>;
const LISTED: ByKind = { message: 'queryMessages', verifierResult: 'queryCCVData' };
const COUNTED: ByKind = { message: 'countMessages', verifierResult: 'countCCVData' };

/**
 * The operation that a method is measured as: true for its name, false for none. A new method does not compile before
 * it is entered. Pruning is measured by its caller.
 */
const OPERATIONS: Readonly<Record<MethodOf<BackendStorage>, boolean | ByKind>> = {
  ...{ getCCVData: true, getMessage: true, list: LISTED, count: COUNTED },
  ...{ queryCCVData: true, countCCVData: true, queryMessages: true, countMessages: true },
  ...{ heldCCVData: true, heldMessage: true, movesAfter: true, changedMessages: true },
  ...{
    queryUnfinishedMessages: true,
    messagesAboveBlock: true,
    getExecutions: true,
    getTransaction: true,
    executionsAboveBlock: true,
    getCursor: true,
    listCursors: true,
  },
  ...{ queryQuarantine: true, queryConflicts: true, changesAfter: true, boundaryAt: true },
  ...{ insertBatch: true, apply: true, ready: true, refresh: true, flush: true },
  ...{ prune: false, rebase: false, window: false, appliedPosition: false, hasUnflushed: false },
  ...{ coverage: false, subscribe: false, health: false, close: false },
};
/** Operations that store. */
const WRITES: ReadonlySet<string> = new Set(['insertBatch', 'apply']);
/** Operations that neither store nor answer. */
const UPKEEP: ReadonlySet<string> = new Set(['ready', 'refresh', 'flush']);
const BY_NAME: ReadonlyMap<PropertyKey, boolean | ByKind> = new Map(Object.entries(OPERATIONS));

/**
 * `storage` with metrics around every call that does work: duration and errors by backend and operation, records taken,
 * duplicates and conflicts. Every member of the storage is a member of the result.
 */
export function createMeteredStorage<S extends BackendStorage>(storage: S, common: Common): S {
  const meters = createMeters(storage.name, common);
  return wrapMethods(storage, measured);

  function measured(name: PropertyKey, call: Method): Method {
    const operation = BY_NAME.get(name) ?? false;
    if (operation === false) return call;
    if (operation === true) return counted(name, meters.timed(String(name), call));
    const message = meters.timed(operation.message, call);
    const verifierResult = meters.timed(operation.verifierResult, call);
    return (kind, ...rest) => (kind === 'message' ? message(kind, ...rest) : verifierResult(kind, ...rest));
  }

  /** Counts the records of the two calls that store some. */
  function counted(name: PropertyKey, call: Method): Method {
    if (name === 'insertBatch')
      return async (batch) => {
        const outcome = (await call(batch)) as WriteOutcome;
        meters.countOutcome(outcome);
        return outcome;
      };
    if (name === 'apply')
      return async (changes) => {
        const abovePosition = standsAt(storage);
        await call(changes);
        meters.countApplied(changes as ChangeSet, abovePosition);
      };
    return call;
  }
}

function createMeters(backend: string, { clock, metrics }: Common) {
  const durations = seriesHistogram(metrics, {
    name: 'indexer_storage_operation_duration_seconds',
    help: 'Time a storage backend took for an operation.',
    labelNames: ['backend', 'operation', 'errored'],
    buckets: BUCKETS_SECONDS,
  });
  const view = { source: durations, labelNames: ['backend', 'operation', 'errored'] };
  histogramView(metrics, {
    ...view,
    name: 'indexer_storage_write_duration_seconds',
    help: 'Time of the operations that store, as older dashboards ask for it.',
    admits: ({ operation }) => WRITES.has(String(operation)),
  });
  histogramView(metrics, {
    ...view,
    name: 'indexer_storage_query_duration_seconds',
    help: 'Time of the operations that read, as older dashboards ask for it.',
    admits: ({ operation }) => !WRITES.has(String(operation)) && !UPKEEP.has(String(operation)),
  });
  const errors = counter(metrics, {
    name: 'indexer_storage_errors_total',
    help: 'Operations of a storage backend that failed; not found, duplicates and coverage gaps are answers.',
    labelNames: ['backend', 'operation', 'code'],
  });
  const insertErrors = counter(metrics, {
    name: 'indexer_storage_insert_errors_total',
    help: 'Operations that store which failed, as older dashboards ask for it.',
    labelNames: ['backend', 'operation'],
  });
  const uniqueMessages = counter(metrics, {
    name: 'indexer_unique_messages_total',
    help: 'Messages that this process stored and that were not stored before.',
  });
  const records = counter(metrics, {
    name: 'indexer_verification_records_total',
    help: 'Verifier results that a backend stored, or took over from the one it follows.',
    labelNames: ['backend'],
  });
  const duplicates = counter(metrics, {
    name: 'indexer_storage_duplicates_total',
    help: 'Records that were stored already.',
    labelNames: ['backend', 'record'],
  });
  const conflicts = counter(metrics, {
    name: 'indexer_storage_conflicts_total',
    help: 'Records that came with other bytes than those stored under their identity.',
    labelNames: ['backend', 'record'],
  });
  return {
    /** Makes `call` before it first yields: an in-process backend has then done its work when this returns. */
    timed(operation: string, call: Method): Method {
      const labels = { backend, operation };
      let succeeded: Observe | null = null;
      const finish = (startedMs: number, isError: boolean) => {
        const seconds = (clock.monotonicMs() - startedMs) / 1000;
        if (isError) durations.observe({ ...labels, errored: 'true' }, seconds);
        else {
          succeeded ??= durations.series({ ...labels, errored: 'false' });
          succeeded(seconds);
        }
      };
      return async (...args) => {
        const startedMs = clock.monotonicMs();
        try {
          const result = await call(...args);
          finish(startedMs, false);
          return result;
        } catch (thrown) {
          const code = thrown instanceof IndexerError ? thrown.code : 'UNKNOWN';
          const isError = !ANSWERS.has(code);
          finish(startedMs, isError);
          if (isError) errors.inc({ ...labels, code });
          if (isError && WRITES.has(operation)) insertErrors.inc(labels);
          throw thrown;
        }
      };
    },
    countOutcome(outcome: WriteOutcome): void {
      const stored = count(outcome.verifierResults, 'inserted');
      if (stored > 0) records.inc({ backend }, stored);
      const found = count(outcome.messages, 'inserted');
      if (found > 0) uniqueMessages.inc(found);
      for (const [record, results] of [
        ['message', outcome.messages],
        ['verifierResult', outcome.verifierResults],
      ] as const) {
        const same = count(results, 'duplicate');
        if (same > 0) duplicates.inc({ backend, record }, same);
        const differing = count(results, 'conflict');
        if (differing > 0) conflicts.inc({ backend, record }, differing);
      }
    },
    countApplied(changes: ChangeSet, abovePosition: bigint): void {
      let taken = 0;
      for (const change of changes.changes)
        if (change.kind === 'verifierResult' && change.position > abovePosition) taken += 1;
      if (taken > 0) records.inc({ backend }, taken);
    },
  };
}

function count(results: readonly string[], wanted: string): number {
  let found = 0;
  for (const result of results) if (result === wanted) found += 1;
  return found;
}
