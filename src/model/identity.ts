import { assertNever } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { ExecutionOrphaning } from './batch.js';
import type { Conflict, Execution, QuarantineEntry, SourceCursor } from './records.js';

/*
 * The identity of a record as one text: equal texts are one record. U+0000 separates parts that can hold other
 * characters; no stored text holds it (see `checkBatch`).
 */

/** The part of a verifier result, or of an order key, that tells it from others. */
export interface ResultIdentity {
  readonly messageId: Hex;
  readonly verifierSourceAddress: Hex;
  readonly verifierDestAddress: Hex;
}

/** The part of an order key that a message has: its id, and no addresses. */
export function messageAsResult(messageId: Hex): ResultIdentity {
  return { messageId, verifierSourceAddress: '0x', verifierDestAddress: '0x' };
}

/** Identity of a message. */
export function messageIdentity({ messageId }: Pick<ResultIdentity, 'messageId'>): string {
  return messageId;
}

/** Identity of a verifier result. The `x` of each part is no hex digit, so no two results make the same text. */
export function resultIdentity(result: ResultIdentity): string {
  return result.messageId + result.verifierSourceAddress + result.verifierDestAddress;
}

/** Identity of an execution: the log that tells it. */
export function executionIdentity({ messageId, place }: Pick<Execution, 'messageId' | 'place'>): string {
  return logIdentity(logOf({ messageId, place }));
}

/** The log of an execution, as an orphaning names it. */
export function logOf({ messageId, place }: Pick<Execution, 'messageId' | 'place'>): ExecutionOrphaning {
  return { messageId, blockHash: place.blockHash, logIndex: place.logIndex };
}

/** Identity of the execution that an orphaning names. */
export function logIdentity({ messageId, blockHash, logIndex }: ExecutionOrphaning): string {
  return `${messageId}${blockHash}x${logIndex}`;
}

/** Identity of quarantined input. */
export function quarantineIdentity(entry: Pick<QuarantineEntry, 'sourceId' | 'key'>): string {
  return `${entry.sourceId}\0${entry.key}`;
}

/** Identity of a conflict: the stored hash is not part of it, since the stored record stays. */
export function conflictIdentity(conflict: Omit<Conflict, 'storedHash'>): string {
  const { record, messageId, verifierSourceAddress, verifierDestAddress, receivedHash } = conflict;
  return `${record}\0${messageId}\0${verifierSourceAddress}\0${verifierDestAddress}\0${receivedHash}`;
}

/** A record of any kind, by the fields that are its identity; a change is one. */
export type RecordRef =
  | { readonly kind: 'message'; readonly record: Pick<ResultIdentity, 'messageId'> }
  | { readonly kind: 'verifierResult'; readonly record: ResultIdentity }
  | { readonly kind: 'execution'; readonly record: Pick<Execution, 'messageId' | 'place'> }
  | { readonly kind: 'cursor'; readonly record: Pick<SourceCursor, 'sourceId'> }
  | { readonly kind: 'quarantine'; readonly record: Pick<QuarantineEntry, 'sourceId' | 'key'> }
  | { readonly kind: 'conflict'; readonly record: Omit<Conflict, 'storedHash'> };

/** The reference to a record, without its contents. */
export function refOf({ kind, record }: RecordRef): RecordRef {
  switch (kind) {
    case 'message':
      return { kind, record: { messageId: record.messageId } };
    case 'verifierResult':
      return { kind, record: pick(record, ['messageId', 'verifierSourceAddress', 'verifierDestAddress']) };
    case 'execution':
      return { kind, record: pick(record, ['messageId', 'place']) };
    case 'cursor':
      return { kind, record: { sourceId: record.sourceId } };
    case 'quarantine':
      return { kind, record: pick(record, ['sourceId', 'key']) };
    case 'conflict':
      return {
        kind,
        record: pick(record, ['record', 'messageId', 'verifierSourceAddress', 'verifierDestAddress', 'receivedHash']),
      };
    default:
      return assertNever(kind, 'kind of record');
  }
}

function pick<T, K extends keyof T>(record: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.map((key) => [key, record[key]])) as Pick<T, K>;
}

/** Identity of a changed record among its kind. Of two changes with one identity and kind the later holds. */
export function identityOfChange({ kind, record }: RecordRef): string {
  switch (kind) {
    case 'message':
      return messageIdentity(record);
    case 'verifierResult':
      return resultIdentity(record);
    case 'execution':
      return executionIdentity(record);
    case 'cursor':
      return record.sourceId;
    case 'quarantine':
      return quarantineIdentity(record);
    case 'conflict':
      return conflictIdentity(record);
    default:
      return assertNever(kind, 'kind of change');
  }
}

/** Identity of a changed record among all kinds. */
export function changedRecord(change: RecordRef): string {
  return `${change.kind} ${identityOfChange(change)}`;
}
