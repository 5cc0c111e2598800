import { Readable } from 'node:stream';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import type { ByteRange } from '../object-store.js';
import { S3RequestFailure, wrongAnswer } from './s3-failures.js';

/** Told about the bytes of an answer as they come. */
export interface BodyListener {
  /** The size of the answer, as soon as it is known. */
  expected(sizeBytes: number): void;
  /** A part has arrived. */
  progressed(sizeBytes: number): void;
}

/**
 * Reads the answer to a GET to its end and checks it against the request: status, Content-Range and Content-Length
 * (RFC 9110, section 14.4), and as many bytes as announced.
 * @throws S3RequestFailure `wrong_answer`, or `range` when the object ends before the range does.
 */
export async function readS3Body(
  answer: GetObjectCommandOutput,
  range: ByteRange | undefined,
  listener: BodyListener,
): Promise<Uint8Array> {
  const body: unknown = answer.Body;
  if (!(body instanceof Readable)) throw wrongAnswer('no body');
  const sizeBytes = range ? checkRange(answer, range) : answer.ContentLength;
  if (answer.ContentLength !== undefined && answer.ContentLength !== sizeBytes)
    throw wrongAnswer('Content-Length and Content-Range differ', { contentLength: answer.ContentLength, sizeBytes });
  if (sizeBytes !== undefined) listener.expected(sizeBytes);
  listener.progressed(0);
  try {
    return sizeBytes === undefined ? await readAll(body, listener) : await readExactly(body, sizeBytes, listener);
  } catch (cause) {
    if (cause instanceof S3RequestFailure || hasCode(cause)) throw cause;
    // the SDK's checksum validation has no name of its own
    throw new S3RequestFailure('wrong_answer', { reason: 'the body failed its checksum' }, cause);
  }
}

const CONTENT_RANGE = /^bytes (\d+)-(\d+)\/(\d+)$/;

/** The bytes of the answer to a range. */
function checkRange(answer: GetObjectCommandOutput, { start, endExclusive }: ByteRange): number {
  const facts = { status: answer.$metadata.httpStatusCode, contentRange: answer.ContentRange };
  const [, first, last, total] = CONTENT_RANGE.exec(answer.ContentRange ?? '') ?? [];
  if (facts.status !== 206 || first === undefined) throw wrongAnswer('not the answer to a range', facts);
  if (Number(first) === start && Number(last) === endExclusive - 1) return endExclusive - start;
  const endsEarlier = Number(first) === start && Number(total) < endExclusive && Number(last) === Number(total) - 1;
  throw endsEarlier ? new S3RequestFailure('range', facts) : wrongAnswer('another range than asked for', facts);
}

async function readExactly(body: Readable, sizeBytes: number, listener: BodyListener): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  let filled = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (filled + chunk.length > sizeBytes) throw wrongAnswer('more bytes than announced', { sizeBytes });
    bytes.set(chunk, filled);
    filled += chunk.length;
    listener.progressed(chunk.length);
  }
  if (filled !== sizeBytes) throw wrongAnswer('fewer bytes than announced', { sizeBytes, receivedBytes: filled });
  return bytes;
}

async function readAll(body: Readable, listener: BodyListener): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    listener.progressed(chunk.length);
  }
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  let filled = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, filled);
    filled += chunk.length;
  }
  return bytes;
}

function hasCode(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string';
}
