import { ThriftCursor } from './thrift-cursor.js';

/*
 * Places in a file, in the entry of a row group of its footer. Field ids are those of apache/parquet-format,
 * src/main/thrift/parquet.thrift.
 */
const COLUMNS = 1;
const GROUP_OFFSETS: ReadonlySet<number> = new Set([5]);
const META_DATA = 3;
const CHUNK_OFFSETS: ReadonlySet<number> = new Set([2, 4, 6]);
const DATA_OFFSETS: ReadonlySet<number> = new Set([9, 10, 11, 14]);

/** The entry of a row group for the same bytes at another place of a file, `byBytes` further behind. */
export function movedEntry(entry: Uint8Array, byBytes: number): Uint8Array {
  const cursor = new ThriftCursor(entry, 0, entry.length);
  const parts: Uint8Array[] = [];
  let copied = 0;
  const within = (offsets: ReadonlySet<number>, field: number, inner: () => void) =>
    cursor.struct((id, type) => {
      if (id === field) return inner();
      if (!offsets.has(id)) return cursor.skip(type);
      parts.push(entry.subarray(copied, cursor.position), varint((cursor.integer() + byBytes) * 2));
      copied = cursor.position;
    });
  within(GROUP_OFFSETS, COLUMNS, () =>
    cursor.list(() => within(CHUNK_OFFSETS, META_DATA, () => within(DATA_OFFSETS, NO_FIELD, () => undefined))),
  );
  return Buffer.concat([...parts, entry.subarray(copied)]);
}

const NO_FIELD = -1;

/** Seven bits a byte, the lowest first. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  return Uint8Array.of(...bytes, left);
}
