import type { Change, ChangeSet } from '../../model/batch.js';
import type { Boundary } from '../../model/boundary.js';
import { compareMessages, compareResults } from '../../model/order.js';
import type { QuarantineEntry, SourceCursor, StoredMessage, StoredVerifierResult } from '../../model/records.js';
import type { BadRow, GoRecord } from './read-rows.js';

/** The last commit of the target. */
export type Head = Boundary & { readonly movePosition: bigint };

/** Makes commits of rows: positions of our own, and the rows' own times. */
export interface CommitMaker {
  readonly head: Head;
  /**
   * The rows of one millisecond are a commit, in the order of times; `cursors` are the last changes. Rows at or below
   * the time of the head, or with `moved` rows that stood at another time, come as a move of the lists: times stay as
   * they are, the head's time does not fall, and a tier that lags knows that its lists are not those of the head.
   */
  make(rows: readonly (GoRecord | BadRow)[], cursors: readonly SourceCursor[], moved: boolean): ChangeSet;
  /** The set was applied: the next one continues there. */
  applied(set: ChangeSet): void;
}

export function createCommitMaker(start: Head, nowMs: () => number): CommitMaker {
  let head = start;
  return {
    get head() {
      return head;
    },
    make(rows, cursors, moved) {
      const { ingestionMs: beforeMs } = head;
      let { position, ingestionMs: headMs, movePosition } = head;
      const changes: Change[] = [];
      const boundaries: Boundary[] = [];
      for (const [ms, group] of byTime(rows, headMs)) {
        for (const change of inOrder(group, ms)) {
          position += 1n;
          changes.push(placed(change, position));
        }
        if (ms <= beforeMs) movePosition = position;
        if (ms <= headMs) continue;
        headMs = ms;
        boundaries.push({ position, ingestionMs: ms });
      }
      for (const cursor of cursors) {
        position += 1n;
        changes.push({ kind: 'cursor', position, record: { ...cursor, position } });
      }
      if (moved) movePosition = position;
      return {
        afterPosition: head.position,
        throughPosition: position,
        headPosition: position,
        // a commit of cursors alone may be the first
        headMs: Math.max(headMs, 0),
        headMovePosition: movePosition,
        boundaries,
        ...(head.position > 0n && { follows: { position: head.position, ingestionMs: beforeMs } }),
        readMs: nowMs(),
        changes,
      };
    },
    applied({ throughPosition, headMs, headMovePosition }) {
      head = { position: throughPosition, ingestionMs: headMs, movePosition: headMovePosition };
    },
  };
}

type Unplaced =
  | { readonly kind: 'message'; readonly record: Omit<StoredMessage, 'position'> }
  | { readonly kind: 'verifierResult'; readonly record: Omit<StoredVerifierResult, 'position'> }
  | { readonly kind: 'quarantine'; readonly record: QuarantineEntry & { readonly ingestionMs: number } };

/** A row without a time was found after everything before it. */
function byTime(rows: readonly (GoRecord | BadRow)[], headMs: number): [ms: number, (GoRecord | BadRow)[]][] {
  const groups = new Map<number, (GoRecord | BadRow)[]>();
  for (const row of rows) {
    const ms = row.ingestionMs ?? Math.max(headMs, 0);
    const group = groups.get(ms);
    if (group) group.push(row);
    else groups.set(ms, [row]);
  }
  return [...groups].sort(([a], [b]) => a - b);
}

/** By kind, as in every commit (`model/commit/stamp-commit.ts`). */
function inOrder(rows: readonly (GoRecord | BadRow)[], ms: number): Unplaced[] {
  const messages: Omit<StoredMessage, 'position'>[] = [];
  const results: Omit<StoredVerifierResult, 'position'>[] = [];
  const bad: Unplaced[] = [];
  for (const row of rows)
    if (row.kind === 'bad') bad.push({ kind: 'quarantine', record: { ...row.entry, ingestionMs: ms } });
    else {
      const stamp = { ingestionMs: ms, firstMs: row.firstMs, orphaned: false };
      if (row.kind === 'message') messages.push({ ...row.record, ...stamp, status: row.status });
      else results.push({ ...row.record, ...stamp, verdict: null });
    }
  return [
    ...messages.sort(compareMessages).map((record) => ({ kind: 'message', record }) as const),
    ...results.sort(compareResults).map((record) => ({ kind: 'verifierResult', record }) as const),
    ...bad,
  ];
}

function placed(change: Unplaced, position: bigint): Change {
  switch (change.kind) {
    case 'message':
      return { kind: 'message', position, record: { ...change.record, position } };
    case 'verifierResult':
      return { kind: 'verifierResult', position, record: { ...change.record, position } };
    case 'quarantine':
      return { kind: 'quarantine', position, record: { ...change.record, position } };
    default:
      return change satisfies never;
  }
}
