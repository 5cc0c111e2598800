import { IndexerError } from '../../../core/errors.js';
import type { Row } from './statement.js';

/** The types of a binary row's columns, by the server's numbers (`pg_type.oid`). */
export type ColumnTypes = readonly number[];

/** Bytes of the count of fields, and of the length before each field. */
const COUNT_BYTES = 2;
const LENGTH_BYTES = 4;
const ABSENT = -1;

const BOOL = 16;
const BYTEA = 17;
const INT8 = 20;
const INT2 = 21;
const INT4 = 23;
const TEXT = 25;
const RECORD = 2249;
/** Bytes of the count of a composite value's fields, and of the type before each. */
const RECORD_COUNT_BYTES = 4;
const TYPE_BYTES = 4;

/** A row as the server sent it. Its fields are read when they are asked for; until then it is a place in a chunk. */
export class SentRow {
  readonly #bytes: Buffer;
  readonly #from: number;
  readonly #behind: number;
  readonly #types: ColumnTypes | null;

  /**
   * The body of a DataRow message: [`from`, `behind`) of `bytes`, which nothing may write to.
   * @param types of a binary row; null: its fields are text.
   */
  constructor(bytes: Buffer, from: number, behind: number, types: ColumnTypes | null) {
    this.#bytes = bytes;
    this.#from = from;
    this.#behind = behind;
    this.#types = types;
  }

  get sizeBytes(): number {
    return this.#behind - this.#from;
  }

  /** The same row as a binary one. */
  withTypes(types: ColumnTypes | null): SentRow {
    return types === null ? this : new SentRow(this.#bytes, this.#from, this.#behind, types);
  }

  /** The same row in bytes of its own: it keeps no chunk in memory. */
  copy(): SentRow {
    const bytes = Buffer.allocUnsafeSlow(this.sizeBytes);
    this.#bytes.copy(bytes, 0, this.#from, this.#behind);
    return new SentRow(bytes, 0, bytes.length, this.#types);
  }

  /** Byte strings of a binary row share the bytes of the row, and of no other. */
  get fields(): Row {
    const isShared = this.#types !== null && this.#bytes.length > this.sizeBytes;
    return isShared ? this.copy().fieldsInPlace : this.fieldsInPlace;
  }

  /** Byte strings of a binary row share the bytes of the chunk: they keep its other rows in memory. */
  get fieldsInPlace(): Row {
    const bytes = this.#bytes;
    const fields: Row[number][] = new Array(bytes.readInt16BE(this.#from));
    let at = this.#from + COUNT_BYTES;
    for (let index = 0; index < fields.length; index += 1) {
      const length = bytes.readInt32BE(at);
      at += LENGTH_BYTES;
      if (length === ABSENT) {
        fields[index] = null;
        continue;
      }
      fields[index] = this.#types
        ? binaryField(this.#types[index], bytes, at, at + length)
        : bytes.toString('utf8', at, at + length);
      at += length;
    }
    return fields;
  }

  isNull(index: number): boolean {
    return this.#bytes.readInt32BE(this.#placeOf(index)) === ABSENT;
  }

  /** A field of a binary row that is a `bigint` and not null, as a number. */
  number(index: number): number {
    return Number(this.#bytes.readBigInt64BE(this.#placeOf(index) + LENGTH_BYTES));
  }

  /** Whether the fields from `index` on are the same bytes. */
  equalsFrom(index: number, other: SentRow): boolean {
    if (!areSame(this.#types, other.#types)) return false;
    const from = this.#placeOf(index);
    const otherFrom = other.#placeOf(index);
    const length = this.#behind - from;
    if (length !== other.#behind - otherFrom) return false;
    return this.#bytes.compare(other.#bytes, otherFrom, other.#behind, from, this.#behind) === 0;
  }

  /** Where the length of a field stands. */
  #placeOf(index: number): number {
    let at = this.#from + COUNT_BYTES;
    for (let passed = 0; passed < index; passed += 1) at += LENGTH_BYTES + Math.max(0, this.#bytes.readInt32BE(at));
    return at;
  }
}

function areSame(a: ColumnTypes | null, b: ColumnTypes | null): boolean {
  if (a === b) return true;
  return a?.length === b?.length && !!a?.every((type, index) => type === b?.[index]);
}

function binaryField(type: number | undefined, bytes: Buffer, from: number, behind: number): Row[number] {
  switch (type) {
    case BOOL:
      return bytes[from] === 1;
    case BYTEA:
      return bytes.subarray(from, behind);
    case INT2:
      return bytes.readInt16BE(from);
    case INT4:
      return bytes.readInt32BE(from);
    case INT8:
      return bytes.readBigInt64BE(from);
    case TEXT:
      return bytes.toString('utf8', from, behind);
    case RECORD:
      return recordFields(bytes, from);
    default:
      throw new IndexerError('COLUMN_TYPE', `a binary row has a column of type ${type}, which nothing decodes`, false);
  }
}

/** The fields of a composite value, as `record_send` of the server writes it: each with its type. */
function recordFields(bytes: Buffer, from: number): Row {
  const fields: Row[number][] = new Array(bytes.readInt32BE(from));
  let at = from + RECORD_COUNT_BYTES;
  for (let index = 0; index < fields.length; index += 1) {
    const type = bytes.readInt32BE(at);
    const length = bytes.readInt32BE(at + TYPE_BYTES);
    at += TYPE_BYTES + LENGTH_BYTES;
    fields[index] = length === ABSENT ? null : binaryField(type, bytes, at, at + length);
    at += Math.max(0, length);
  }
  return fields;
}
