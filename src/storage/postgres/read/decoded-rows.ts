import { LRUCache } from 'lru-cache';
import type { SentRow } from '../connection/sent-row.js';
import type { Row } from '../connection/statement.js';

/** Bytes of a record's objects besides those of its row. */
const RECORD_BYTES = 1_024;
/** A record above this share of the bytes is decoded each time rather than pushing out everything else. */
const MAX_ROW_SHARE = 1 / 64;

interface Decoded<T> {
  readonly row: SentRow;
  readonly record: T;
}

/**
 * Decodes the fields of binary rows from `at` on, each once while it is kept, in least recently used order: a row that
 * comes again is the same bytes, and is the same record. `positionAt`: a field that tells most records apart.
 */
export function createRowDecoder<T extends object>({
  decode,
  at,
  positionAt,
  maxBytes,
}: {
  readonly decode: (row: Row, at: number) => T;
  readonly at: number;
  readonly positionAt: number;
  readonly maxBytes: number;
}): (row: SentRow) => T {
  const decoded = new LRUCache<number, Decoded<T>>({
    maxSize: maxBytes,
    maxEntrySize: maxBytes * MAX_ROW_SHARE,
    sizeCalculation: ({ row }) => row.sizeBytes + RECORD_BYTES,
  });
  return (sent) => {
    const key = sent.number(positionAt);
    const kept = decoded.get(key);
    if (kept?.row.equalsFrom(at, sent)) return kept.record;
    const row = sent.copy();
    const record = decode(row.fields, at);
    decoded.set(key, { row, record });
    return record;
  };
}
