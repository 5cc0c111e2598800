import { InvalidArgumentError } from '../../../core/errors.js';
import { type ByteRange, type ListOptions, MAX_PAGE_OBJECTS } from './object-store.js';

/** S3 takes 1024 bytes; the rest is left for the store's prefix. */
const MAX_KEY_BYTES = 900;
/** The longest name in Linux file systems. */
const MAX_SEGMENT_BYTES = 255;
/** The folder of a directory store for files that are being written. */
export const RESERVED_SEGMENT = '.uploading';

// control characters cannot travel in S3's XML answers, half a surrogate pair has no UTF-8, and a backslash separates
// on some systems
const FORBIDDEN = /[\p{Cc}\p{Cs}\\\uFFFE\uFFFF]/u;

/**
 * Accepts keys that mean the same in a bucket and in a directory: segments separated by single slashes, none empty,
 * `.` or `..`, none longer than 255 bytes, at most 900 bytes in all, well-formed Unicode without control characters
 * and backslashes, not starting with the segment `.uploading`.
 * @throws InvalidArgumentError for any other.
 */
export function checkObjectKey(key: string, maxBytes: number = MAX_KEY_BYTES): void {
  const problem = keyProblem(key, maxBytes);
  if (problem) throw new InvalidArgumentError(`not an object key: ${problem}`, { details: { key } });
}

/** Whether a key found in a store is one that `checkObjectKey` accepts. */
export function isObjectKey(key: string): boolean {
  return keyProblem(key, MAX_KEY_BYTES) === undefined;
}

function keyProblem(key: string, maxBytes: number): string | undefined {
  if (key === '') return 'it is empty';
  if (FORBIDDEN.test(key)) return 'it holds a control character, a backslash or half a surrogate pair';
  if (Buffer.byteLength(key) > maxBytes) return `it is longer than ${maxBytes} bytes`;
  const segments = key.split('/');
  if (segments[0] === RESERVED_SEGMENT) return `the segment ${RESERVED_SEGMENT} is reserved`;
  for (const segment of segments) {
    if (segment === '') return 'it has an empty segment: no slash at the start, at the end or beside another';
    if (segment === '.' || segment === '..') return `the segment ${segment} is not a name`;
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) return `a segment is longer than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

/**
 * Accepts any text that could be the beginning of a key, also none.
 * @throws InvalidArgumentError for any other.
 */
export function checkListArguments(prefix: string, { startAfter = '', limit = MAX_PAGE_OBJECTS }: ListOptions): void {
  for (const text of [prefix, startAfter]) {
    if (FORBIDDEN.test(text) || Buffer.byteLength(text) > MAX_KEY_BYTES)
      throw new InvalidArgumentError('not the beginning of an object key', { details: { prefix: text } });
  }
  if (!Number.isInteger(limit) || limit < 1)
    throw new InvalidArgumentError('the limit of a listing is a whole number from 1 on', { details: { limit } });
}

/** @throws InvalidArgumentError unless `0 <= start < endExclusive`, both integers. */
export function checkByteRange(range: ByteRange): void {
  const { start, endExclusive } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(endExclusive) || start < 0 || endExclusive <= start)
    throw new InvalidArgumentError('not a byte range: 0 <= start < endExclusive', { details: { ...range } });
}

// from the surrogates on, UTF-16 and UTF-8 order characters differently
const ORDERED_APART = /[\uD800-\uFFFF]/;

/** Orders keys as S3 lists them: by the bytes of their UTF-8. */
export function compareKeys(left: string, right: string): number {
  if (left === right) return 0;
  if (ORDERED_APART.test(left) || ORDERED_APART.test(right))
    return Buffer.compare(Buffer.from(left), Buffer.from(right));
  return left < right ? -1 : 1;
}
