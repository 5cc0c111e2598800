import { assertNever } from '../../../core/errors.js';
import type { Change, Replacement } from '../../../model/batch.js';
import type { MovedRecord } from '../../../model/commit/stamp-commit.js';
import type { ListedKind } from '../../../model/list-kinds.js';
import type {
  StoredConflict,
  StoredExecution,
  StoredMessage,
  StoredQuarantineEntry,
  StoredSourceCursor,
  StoredVerifierResult,
} from '../../../model/records.js';
import type { Namespace } from '../connection/namespace.js';
import type { Call, CopyCall } from '../connection/transaction.js';
import { COUNTED } from '../counts/count-changes.js';
import { bigintArray, smallintArray } from '../rows/binary-arrays.js';
import { executionValues } from '../rows/execution-rows.js';
import { bodySizeBytes } from '../rows/message-body.js';
import { createRecordCopies } from './record-copies.js';
import { createRecordStatements } from './record-statements.js';
import {
  type BodyRow,
  bodyValues,
  conflictValues,
  cursorValues,
  messageValues,
  moveValues,
  quarantineValues,
  replacementValues,
  resultValues,
} from './record-values.js';

/**
 * Most bytes of one statement. A socket takes about this much at once: the database has all of a statement, and
 * works on it, while the next one is made. Measured with records of 2 KB: a quarter less time a commit than with 1 MiB.
 */
const CHUNK_ROWS = 1_000;
const CHUNK_BYTES = 1 << 18;

/**
 * Makes the statements that write records, sent in a pipeline: binary COPY where no row is there yet, else UNNEST of
 * binary arrays.
 */
export interface RecordWriter {
  /** Waits for the backfill's transaction under way, if there is one, and makes its next one wait for ours. */
  readonly oneAtATime: Call;
  /** Bodies; those that are there already are passed over. */
  bodies(rows: readonly BodyRow[]): Iterable<Call>;
  /** Bodies that are not there yet. */
  newBodies(rows: readonly BodyRow[]): Iterable<CopyCall>;
  /**
   * Rows for these changes. Those in `inserted` must not be there yet; others replace the stored row, unless that is of
   * a later position.
   */
  changes(changes: readonly Change[], inserted: ReadonlySet<object>): Iterable<Call | CopyCall>;
  /** The lanes of these messages' bytes; those that are known already are passed over. */
  lanes(lanes: Iterable<readonly [source: bigint, dest: bigint]>): readonly Call[];
  /** Keeps results that were replaced. */
  replacements(rows: readonly Replacement[], replacedMs: number): Iterable<Call>;
  /** Counts the `inserted` among the changes, which their upserts do for the others. */
  listed(changes: readonly Change[], inserted: ReadonlySet<object>): readonly Call[];
  /** Notes where these records were listed. */
  moves(rows: readonly MovedRecord[]): Iterable<Call>;
}

export function createRecordWriter(namespace: Namespace): RecordWriter {
  const sql = createRecordStatements(namespace);
  const copies = createRecordCopies(namespace);
  return {
    oneAtATime: { statement: sql.oneAtATime, values: [] },
    newBodies: copies.bodies,
    bodies: (rows) =>
      inChunks(
        rows,
        (row) => bodySizeBytes(row.content),
        (chunk) => ({ statement: sql.bodies, values: bodyValues(chunk) }),
      ),
    lanes(lanes) {
      const all = [...lanes];
      if (all.length === 0) return [];
      const values = [bigintArray(all.map(([source]) => source)), bigintArray(all.map(([, dest]) => dest))];
      return [{ statement: sql.lanes, values }];
    },
    replacements: (rows, replacedMs) =>
      inChunks(
        rows,
        (row) => row.old.ccvData.length,
        (chunk) => ({ statement: sql.replacements, values: replacementValues(chunk, replacedMs) }),
      ),
    listed(changes, inserted) {
      const counts = listedCounts(changes, inserted);
      if (counts.length === 0) return [];
      const column = (of: (count: ListedCount) => number) => counts.map(of);
      const values = [
        smallintArray(column(({ kind }) => COUNTED[kind])),
        bigintArray(column(({ ingestionMs }) => ingestionMs)),
        bigintArray(column(({ records }) => records)),
      ];
      return [{ statement: sql.listed, values }];
    },
    moves: (rows) =>
      inChunks(
        rows,
        () => 200,
        (chunk) => ({ statement: sql.moves, values: moveValues(chunk) }),
      ),
    *changes(changes, inserted) {
      const sorted = sortByKind(changes);
      const part = <T extends object>(rows: readonly T[], isNew: boolean) =>
        rows.filter((row) => inserted.has(row) === isNew);
      yield* copies.messages(part(sorted.messages, true));
      yield* inChunks(
        part(sorted.messages, false),
        () => 200,
        (chunk) => ({ statement: sql.upsertMessages, values: messageValues(chunk) }),
      );
      yield* copies.results(part(sorted.results, true));
      yield* inChunks(
        part(sorted.results, false),
        (row) => row.ccvData.length,
        (chunk) => ({ statement: sql.upsertResults, values: resultValues(chunk) }),
      );
      yield* inChunks(
        sorted.executions,
        (row) => 250 + row.returnData.length,
        (chunk) => ({ statement: sql.executions, values: executionValues(chunk) }),
      );
      yield* inChunks(
        sorted.quarantine,
        (row) => row.raw.length,
        (chunk) => ({
          statement: sql.quarantine,
          values: quarantineValues(chunk),
        }),
      );
      yield* inChunks(
        sorted.conflicts,
        () => 300,
        (chunk) => ({
          statement: sql.conflicts,
          values: conflictValues(chunk),
        }),
      );
      yield* inChunks(
        sorted.cursors,
        () => 100,
        (chunk) => ({ statement: sql.cursors, values: cursorValues(chunk) }),
      );
    },
  };
}

interface ListedCount {
  readonly kind: ListedKind;
  readonly ingestionMs: number;
  records: number;
}

/** Records of a commit lie in one list at one time, or two: all that are new are listed at the time of the commit. */
function listedCounts(changes: readonly Change[], inserted: ReadonlySet<object>): readonly ListedCount[] {
  const counts: ListedCount[] = [];
  for (const { kind, record } of changes) {
    if ((kind !== 'message' && kind !== 'verifierResult') || record.orphaned || !inserted.has(record)) continue;
    const { ingestionMs } = record;
    const known = counts.find((count) => count.kind === kind && count.ingestionMs === ingestionMs);
    if (known) known.records += 1;
    else counts.push({ kind, ingestionMs, records: 1 });
  }
  return counts;
}

function sortByKind(changes: readonly Change[]) {
  const messages: StoredMessage[] = [];
  const results: StoredVerifierResult[] = [];
  const executions: StoredExecution[] = [];
  const quarantine: StoredQuarantineEntry[] = [];
  const conflicts: StoredConflict[] = [];
  const cursors: StoredSourceCursor[] = [];
  for (const change of changes)
    switch (change.kind) {
      case 'message':
        messages.push(change.record);
        break;
      case 'verifierResult':
        results.push(change.record);
        break;
      case 'execution':
        executions.push(change.record);
        break;
      case 'quarantine':
        quarantine.push(change.record);
        break;
      case 'conflict':
        conflicts.push(change.record);
        break;
      case 'cursor':
        cursors.push(change.record);
        break;
      default:
        assertNever(change, 'change');
    }
  return { messages, results, executions, quarantine, conflicts, cursors };
}

function* inChunks<T>(
  rows: readonly T[],
  sizeOf: (row: T) => number,
  make: (chunk: readonly T[]) => Call,
): Generator<Call, void, void> {
  let from = 0;
  let sizeBytes = 0;
  for (const [index, row] of rows.entries()) {
    sizeBytes += sizeOf(row);
    if (index + 1 - from < CHUNK_ROWS && sizeBytes < CHUNK_BYTES) continue;
    yield make(rows.slice(from, index + 1));
    from = index + 1;
    sizeBytes = 0;
  }
  if (from < rows.length) yield make(rows.slice(from));
}
