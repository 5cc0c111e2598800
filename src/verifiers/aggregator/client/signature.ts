import { createHash, createHmac } from 'node:crypto';
import { InvalidArgumentError } from '../../../core/errors.js';
import { secrets } from '../../../core/masker.js';

const SECRET = /^(?:[0-9a-f]{2}){32,}$/i;

/** Deviation of the two clocks within which an aggregator takes a signature. */
export const SIGNATURE_WINDOW_MS = 15_000;

/** Credentials of an aggregator; both empty: it asks for none. */
export interface AggregatorCredentials {
  /** A UUID. */
  readonly apiKey: string;
  /** Hex of at least 32 bytes. */
  readonly secret: string;
}

/** The metadata of one request, by name; empty without credentials. */
export type Signer = (methodPath: string, request: Uint8Array, nowMs: number) => Readonly<Record<string, string>>;

/**
 * Signs requests as aggregators check them: HMAC-SHA256, under the decoded secret, of
 * `POST <method path> <sha256 of the request bytes> <API key> <unix ms>`.
 * The credentials are masked in everything that leaves this process from now on.
 * @throws InvalidArgumentError for one of the two without the other, or a secret of another form.
 */
export function createSigner({ apiKey, secret }: AggregatorCredentials): Signer {
  if (apiKey === '' && secret === '') return () => ({});
  secrets.add([apiKey, secret].map((text) => ({ text, where: 'anywhere' })));
  if (apiKey === '' || secret === '')
    throw new InvalidArgumentError('APIKey and Secret of an aggregator belong together: give both, or neither');
  if (!SECRET.test(secret))
    throw new InvalidArgumentError('Secret of an aggregator: write at least 32 bytes as hex digits, without 0x');
  const key = Buffer.from(secret, 'hex');
  return (methodPath, request, nowMs) => {
    const digest = createHash('sha256').update(request).digest('hex');
    const signed = `POST ${methodPath} ${digest} ${apiKey} ${nowMs}`;
    return {
      authorization: apiKey,
      'x-authorization-timestamp': String(nowMs),
      'x-authorization-signature-sha256': createHmac('sha256', key).update(signed).digest('hex'),
    };
  };
}
