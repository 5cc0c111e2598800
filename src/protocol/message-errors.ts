import { IndexerError } from '../core/errors.js';

/** The fault in canonical bytes: the field in dotted form, the expected and the found. */
export interface MessageFault {
  /** A `Message` property (`sender`, `tokenTransfer.amount`), or `end` for bytes after the last field. */
  readonly field: string;
  readonly expected: string;
  readonly found: string;
  /** Byte offset in the decoded bytes. */
  readonly offset?: number;
}

/** Bytes are not one whole message (or token transfer) of version 1. Never retryable; `details` is a `MessageFault`. */
export class MessageDecodeError extends IndexerError {
  readonly field: string;
  constructor(fault: MessageFault) {
    super('MESSAGE_DECODE', describe('decode', fault), false, { details: { ...fault } });
    this.field = fault.field;
  }
}

/** A value does not fit its field of the canonical bytes. Never retryable; `details` is a `MessageFault`. */
export class MessageEncodeError extends IndexerError {
  readonly field: string;
  constructor(fault: MessageFault) {
    super('MESSAGE_ENCODE', describe('encode', fault), false, { details: { ...fault } });
    this.field = fault.field;
  }
}

function describe(action: string, { field, expected, found, offset }: MessageFault): string {
  const where = offset === undefined ? field : `${field} at byte ${offset}`;
  return `cannot ${action} ${where}: expected ${expected}, found ${found}`;
}
