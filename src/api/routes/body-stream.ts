import { Readable } from 'node:stream';

/** Bytes of a chunk of a body in parts; a larger record is a chunk by itself. */
export const CHUNK_BYTES = 64 * 1024;

/**
 * A body that is made as the client takes it. A failure before the first chunk is an error answer. A later one breaks
 * the connection off, so that the client sees a broken body, not a shorter one.
 */
export async function bodyStream(source: AsyncGenerator<Buffer, void, void>): Promise<Readable> {
  const first = await source.next();
  async function* all() {
    if (!first.done) yield first.value;
    yield* source;
  }
  return Readable.from(all(), { objectMode: false, highWaterMark: CHUNK_BYTES });
}
