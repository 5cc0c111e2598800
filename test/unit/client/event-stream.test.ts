import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type StreamEvent, streamEvents } from '../../../src/client/event-stream.js';

/** The events of a text that comes in pieces of these sizes. */
async function eventsOf(text: string, sizes: readonly number[]): Promise<StreamEvent[]> {
  const bytes = new TextEncoder().encode(text);
  const pieces: Uint8Array[] = [];
  for (let at = 0, n = 0; at < bytes.length; n += 1) {
    const size = sizes[n % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  const found: StreamEvent[] = [];
  let heard = 0;
  for await (const event of streamEvents(ReadableStream.from(pieces), () => (heard += 1))) found.push(event);
  expect(heard).toBe(pieces.length);
  return found;
}

test('events are the same however their text is cut, with any line ends, and a cut off one is none', async () => {
  const lines = [
    'retry: 1000',
    'id: 7',
    '',
    ': alive',
    '',
    'id: 8',
    'event: message',
    'data: {"a":"ü→"}',
    'data: b',
    '',
  ];
  const expected = [
    { id: '7', kind: 'message', data: null },
    { id: '8', kind: 'message', data: '{"a":"ü→"}\nb' },
  ];
  const ends = fc.constantFrom('\n', '\r\n', '\r');
  await fc.assert(
    fc.asyncProperty(ends, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), async (end, sizes) => {
      const text = [...lines, 'id: 9', 'data: x'].map((line) => line + end).join('');
      expect(await eventsOf(text, sizes)).toEqual(expected);
    }),
  );
});
