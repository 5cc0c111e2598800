import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { type Metadata, status } from '@grpc/grpc-js';

/** Deviation that an aggregator allows a client's clock. */
const WINDOW_MS = 15_000;

/** An answer instead of the usual one. */
export interface Refusal {
  readonly code: status;
  readonly details: string;
}

/** A refusal, or null when the request is signed as it must be. `clients` has the secret (hex) of each API key. */
export function checkSignature(
  clients: ReadonlyMap<string, string>,
  path: string,
  request: Buffer,
  metadata: Metadata,
  nowMs: number,
): Refusal | null {
  const refuse = (details: string): Refusal => ({ code: status.UNAUTHENTICATED, details });
  const [apiKey, timestamp, signature] = [
    'authorization',
    'x-authorization-timestamp',
    'x-authorization-signature-sha256',
  ].map((name) => String(metadata.get(name)[0] ?? ''));
  if (!apiKey || !timestamp || !signature) return refuse('missing authentication headers');
  const secret = clients.get(apiKey);
  if (secret === undefined) return refuse(`unknown API key ${apiKey}`);
  if (!/^\d+$/.test(timestamp) || Math.abs(Number(timestamp) - nowMs) > WINDOW_MS)
    return refuse('timestamp outside of the window');
  const digest = createHash('sha256').update(request).digest('hex');
  const expected = createHmac('sha256', Buffer.from(secret, 'hex'))
    .update(`POST ${path} ${digest} ${apiKey} ${timestamp}`)
    .digest();
  const given = Buffer.from(signature, 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected) ? null : refuse('invalid signature');
}
