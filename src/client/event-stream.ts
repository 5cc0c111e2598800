/** An event as its stream tells it; `id` alone, without `data`, moves the place of the reader. */
export interface StreamEvent {
  readonly id: string | null;
  readonly kind: string;
  readonly data: string | null;
}

/**
 * The events of a body (https://html.spec.whatwg.org/multipage/server-sent-events.html), from text in pieces. Every
 * piece, a comment too, is news of a living server: `heard` is called for each. An event that is cut off is none.
 */
export async function* streamEvents(
  body: ReadableStream<Uint8Array>,
  heard: () => void,
): AsyncGenerator<StreamEvent, void, void> {
  const decoder = new TextDecoder();
  let text = '';
  let id: string | null = null;
  let kind = 'message';
  let data: string | null = null;
  for await (const bytes of piecesOf(body)) {
    heard();
    text += decoder.decode(bytes, { stream: true });
    // the end of a piece may be the first half of a line's end
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    text = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (id !== null || data !== null) yield { id, kind, data };
        [id, kind, data] = [null, 'message', null];
        continue;
      }
      const [, field = '', value = ''] = /^([^:]+):? ?(.*)$/.exec(line) ?? [];
      if (field === 'id') id = value;
      else if (field === 'event') kind = value;
      else if (field === 'data') data = data === null ? value : `${data}\n${value}`;
    }
  }
}

/** Not every browser iterates a stream by itself. */
async function* piecesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const reader = body.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
