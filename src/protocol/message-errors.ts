import { IndexerError } from '../core/errors.js';

/** What the reader or writer of canonical bytes met: the field in dotted form, what was expected of it, what was found. */
export interface MessageFault {
  /** A `Message` property (`sender`, `tokenTransfer.amount`), or `end` for bytes after the last field. */
  readonly field: string;
  readonly expected: string;
  readonly found: string;
  /** Byte offset in what was decoded. */
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
