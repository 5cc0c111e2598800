import { assertNever } from '../../core/errors.js';
import type { Change } from '../../model/batch.js';
import { sameBody, sameBytes } from '../../model/commit/equality.js';
import { logOf, quarantineIdentity } from '../../model/identity.js';
import type { StoredMessage, StoredQuarantineEntry, StoredVerifierResult } from '../../model/records.js';
import { type Body, copyBody, findResult, storedMessage, storedResult } from './body.js';
import type { RecordStore } from './record-store.js';

/**
 * Takes a change into the store, with its time and position. Bytes are copied.
 * @returns false when it was passed over: it concerns a record below the window (`afterMs`) that the store does not
 * hold.
 */
export function applyChange(store: RecordStore, change: Change, afterMs: number): boolean {
  switch (change.kind) {
    case 'message': {
      const known = store.entries.get(change.record.messageId)?.message;
      if (!known && change.record.ingestionMs <= afterMs) return false;
      const body = bodyFor(store, change.record);
      store.putMessage(storedMessage(body, change.record), body);
      return true;
    }
    case 'verifierResult': {
      const { record } = change;
      const known = findResult(store.entries.get(record.messageId)?.results ?? [], record);
      if (!known && record.ingestionMs <= afterMs) return false;
      const body = bodyFor(store, record);
      const ccvData =
        known && sameBytes(known.ccvData, record.ccvData) ? known.ccvData : store.slabs.copy(record.ccvData);
      store.putResult(storedResult(body, { ...record, ccvData }, store.interner), body);
      return true;
    }
    case 'execution': {
      const { record } = change;
      const known = store.executions.find(logOf(record));
      if (!known && record.ingestionMs <= afterMs) return false;
      store.putExecution(known, { ...record, returnData: known?.returnData ?? store.slabs.copy(record.returnData) });
      return true;
    }
    case 'cursor':
      store.putCursor({ ...change.record });
      return true;
    case 'quarantine':
      if (change.record.ingestionMs <= afterMs) return false;
      if (!store.quarantine.has(quarantineIdentity(change.record)))
        store.putQuarantine(copyQuarantine(store, change.record));
      return true;
    case 'conflict':
      if (change.record.ingestionMs <= afterMs) return false;
      store.putConflict({ ...change.record });
      return true;
    default:
      return assertNever(change, 'kind of change');
  }
}

/** A quarantine entry in memory of its own. */
function copyQuarantine(store: RecordStore, entry: StoredQuarantineEntry): StoredQuarantineEntry {
  const { interner } = store;
  return {
    sourceId: interner.text(entry.sourceId),
    key: interner.own(entry.key),
    reason: interner.text(entry.reason),
    detail: interner.own(entry.detail),
    raw: store.slabs.copy(entry.raw),
    messageId: entry.messageId && interner.own(entry.messageId),
    ingestionMs: entry.ingestionMs,
    position: entry.position,
  };
}

/** The body already held for the id when it is the same, so that it is held once. */
function bodyFor(store: RecordStore, record: StoredMessage | StoredVerifierResult): Body {
  const held = store.entries.get(record.messageId)?.body;
  return held && sameBody(held, record) ? held : copyBody(record, store);
}
