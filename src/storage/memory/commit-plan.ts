import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { copyQuarantine } from './apply-changes.js';
import type { CommitPlan } from './plan-commit.js';
import type { RecordStore } from './record-store.js';

/**
 * Carries a plan out: gives each changed record the next position (messages and verifier results in the order of lists,
 * then conflicts, quarantined input, cursors) and puts it into the store.
 * @returns the last position taken, and that of the last record that left the lists or moved in them (0: none).
 */
export function commitPlan(
  store: RecordStore,
  plan: CommitPlan,
  ingestionMs: number,
  afterPosition: bigint,
): { readonly throughPosition: bigint; readonly movePosition: bigint } {
  let position = afterPosition;
  let movePosition = 0n;
  for (const planned of plan.records) {
    position += 1n;
    stamp(planned.record, position);
    if (planned.kind === 'message') store.putMessage(planned.record, planned.body);
    else store.putResult(planned.record, planned.body);
    if (planned.moved) movePosition = position;
  }
  for (const conflict of plan.conflicts) {
    position += 1n;
    store.putConflict({ ...conflict, ingestionMs, position });
  }
  for (const entry of plan.quarantine) {
    position += 1n;
    store.putQuarantine(copyQuarantine(store, { ...entry, ingestionMs, position }));
  }
  for (const cursor of plan.cursors) {
    position += 1n;
    store.putCursor({ ...cursor, position });
  }
  return { throughPosition: position, movePosition };
}

/** The plan made the record and nobody else has seen it yet: until now its position was open. */
function stamp(record: StoredMessage | StoredVerifierResult, position: bigint): void {
  (record as { position: bigint }).position = position;
}
