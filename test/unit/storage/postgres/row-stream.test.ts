import { describe, expect, test } from 'vitest';
import { createSplitter } from '../../../../src/storage/postgres/connection/row-stream.js';
import { SentRow } from '../../../../src/storage/postgres/connection/sent-row.js';

const [BOOL, BYTEA, INT8, INT2, INT4, TEXT] = [16, 17, 20, 21, 23, 25];
const TYPES = [BOOL, BYTEA, INT8, INT2, INT4, TEXT, TEXT] as number[];

/** A message of the server: its type, its length, its body. */
function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

/** The body of a DataRow message. */
function rowBody(fields: readonly (Buffer | null)[]): Buffer {
  const count = Buffer.alloc(2);
  count.writeInt16BE(fields.length);
  const parts = fields.flatMap((field) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(field === null ? -1 : field.length);
    return field === null ? [length] : [length, field];
  });
  return Buffer.concat([count, ...parts]);
}

function binaryRow(position: bigint, text = 'größer'): Buffer {
  const int8 = Buffer.alloc(8);
  int8.writeBigInt64BE(position);
  const int2 = Buffer.alloc(2);
  int2.writeInt16BE(-2);
  const int4 = Buffer.alloc(4);
  int4.writeInt32BE(70_000);
  return rowBody([Buffer.from([1]), Buffer.from('00ff', 'hex'), int8, int2, int4, Buffer.from(text), null]);
}

describe('the splitter of a stream of messages', () => {
  const messages = [
    message('1', Buffer.alloc(0)),
    message('2', Buffer.alloc(0)),
    message('D', rowBody([Buffer.from('a'), null])),
    message('D', rowBody([Buffer.from('b'.repeat(300)), Buffer.from('')])),
    message('N', Buffer.from('a notice in between')),
    message('D', rowBody([])),
    message('C', Buffer.from('SELECT 3\0')),
    message('Z', Buffer.from('I')),
  ];
  const stream = Buffer.concat(messages);
  const others = messages.filter((each) => each[0] !== 0x44).map((each) => each.toString('latin1'));
  const rows = [['a', null], ['b'.repeat(300), ''], []];

  /** What comes out, in its order: rows as their fields, other messages one by one. */
  function split(chunks: readonly Buffer[]): readonly unknown[] {
    const taken: unknown[] = [];
    const take = createSplitter({
      row: (row) => taken.push(row.fields),
      others(bytes) {
        for (let at = 0; at < bytes.length; at += 1 + bytes.readUInt32BE(at + 1))
          taken.push(bytes.toString('latin1', at, at + 1 + bytes.readUInt32BE(at + 1)));
      },
    });
    for (const chunk of chunks) take(chunk);
    return taken;
  }

  const expected = [...others.slice(0, 2), ...rows.slice(0, 2), others[2], rows[2], ...others.slice(3)];

  test('gives rows and all other messages in their order, wherever the chunks end', () => {
    for (let size = 1; size <= stream.length; size += 1) {
      const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, index) =>
        stream.subarray(index * size, (index + 1) * size),
      );
      expect(split(chunks), `chunks of ${size} bytes`).toEqual(expected);
    }
    for (let at = 0; at <= stream.length; at += 1)
      expect(split([stream.subarray(0, at), stream.subarray(at)]), `cut at ${at}`).toEqual(expected);
  });
});

describe('a row as the server sent it', () => {
  const sent = (body: Buffer, types: readonly number[] | null = TYPES) => {
    const chunk = Buffer.concat([Buffer.alloc(7), body, Buffer.alloc(9)]);
    return new SentRow(chunk, 7, 7 + body.length, types);
  };

  test('has the fields of its types, in bytes that are its own', () => {
    const { fields } = sent(binaryRow(-(2n ** 60n)));
    expect(fields).toEqual([true, Buffer.from('00ff', 'hex'), -(2n ** 60n), -2, 70_000, 'größer', null]);
    expect((fields[1] as Buffer).buffer.byteLength).toBe(binaryRow(0n).length);
    expect(sent(binaryRow(-(2n ** 60n))).fieldsInPlace).toEqual(fields);
  });

  test('has a composite value as a row, each field by the type that is sent with it', () => {
    const int4 = (value: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(value);
      return bytes;
    };
    const typed = [BOOL, BYTEA, TEXT].map((type) => int4(type as number));
    const absent = int4(-1);
    const [bool, bytea, text] = typed as [Buffer, Buffer, Buffer];
    const parts = [int4(4), bool, int4(1), Buffer.from([1]), bytea, int4(2), Buffer.from('00ff', 'hex')];
    const record = Buffer.concat([...parts, text, absent, text, int4(0)]);
    const composite = 2249;
    expect(sent(rowBody([record, null, Buffer.from('x')]), [composite, composite, TEXT as number]).fields).toEqual([
      [true, Buffer.from('00ff', 'hex'), null, ''],
      null,
      'x',
    ]);
  });

  test('tells a field that is null, and a position', () => {
    const row = sent(binaryRow(12n));
    expect([row.isNull(5), row.isNull(6), row.number(2)]).toEqual([false, true, 12]);
  });

  test('equals one whose fields from a place on are the same bytes, and no other', () => {
    const row = sent(binaryRow(12n));
    expect(row.equalsFrom(2, sent(binaryRow(12n)).copy())).toBe(true);
    expect(row.equalsFrom(2, sent(binaryRow(13n)))).toBe(false);
    expect(row.equalsFrom(3, sent(binaryRow(13n)))).toBe(true);
    expect(row.equalsFrom(3, sent(binaryRow(12n, 'größeR')))).toBe(false);
    expect(row.equalsFrom(3, sent(binaryRow(12n, 'größere')))).toBe(false);
    expect(row.equalsFrom(2, sent(binaryRow(12n), [...TYPES]))).toBe(true);
    expect(row.equalsFrom(2, sent(binaryRow(12n), [...TYPES.slice(0, -1), BYTEA as number]))).toBe(false);
  });

  test('refuses a type that nothing decodes', () => {
    const numeric = 1700;
    expect(() => sent(rowBody([Buffer.alloc(8)]), [numeric]).fields).toThrow(/column of type 1700/);
  });
});
