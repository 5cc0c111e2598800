import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '../../../../src/core/errors.js';
import { bytesToHex, type Hex } from '../../../../src/core/hex.js';
import { createSigner } from '../../../../src/verifiers/aggregator/client/signature.js';
import {
  encodeResultsRequest,
  encodeSinceRequest,
  METHOD_PATHS,
} from '../../../../src/verifiers/aggregator/client/wire.js';

const API_KEY = '3b241101-e2bb-4255-8caf-4136c566a962';
const SECRET = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
const NOW_MS = 1_785_542_400_123;
const ID_A: Hex = `0x${'a1'.repeat(32)}`;
const ID_B: Hex = `0x${'5e'.repeat(32)}`;

// the bytes were written by hand from the field numbers; the signatures were made with
// printf 'POST %s %s %s %s' PATH SHA256 KEY TIME | openssl dgst -sha256 -mac HMAC -macopt hexkey:SECRET
const SINCE = [
  { sequence: 0n, bytes: '0x', signature: '500e8dd8116bc33227b1ee785f90600576d248a36f63367693d36e118c8418ed' },
  { sequence: 387n, bytes: '0x088303', signature: '28f5261542ff5ea8a9cc3355c85f7ccc15271f69667e502775c6b4186f5dd27d' },
  {
    sequence: 2n ** 63n - 1n,
    bytes: '0x08ffffffffffffffff7f',
    signature: '5703d894884e6a3641cc65aacf979aa4828c3f8e95ff5c1d17221aa577666e59',
  },
] as const;
const BY_ID = [
  {
    ids: [ID_A],
    bytes: `0x0a20${'a1'.repeat(32)}`,
    signature: 'bdba06c468231484e8826520f43def82c374898541300d02381b238c1a73aad5',
  },
  {
    ids: [ID_A, ID_B],
    bytes: `0x0a20${'a1'.repeat(32)}0a20${'5e'.repeat(32)}`,
    signature: 'cf223e9e749f3103f6d7fb318413e5abbe77c0463899afd2da8697abc9b3ef88',
  },
] as const;

describe('a request to an aggregator', () => {
  const sign = createSigner({ apiKey: API_KEY, secret: SECRET });
  const metadata = (signature: string) => ({
    authorization: API_KEY,
    'x-authorization-timestamp': '1785542400123',
    'x-authorization-signature-sha256': signature,
  });

  it.each(SINCE)('for entries from $sequence on has the bytes and the signature of the wire', (golden) => {
    const bytes = encodeSinceRequest(golden.sequence);
    expect(bytesToHex(bytes)).toBe(golden.bytes);
    expect(sign(METHOD_PATHS.GetMessagesSince, bytes, NOW_MS)).toEqual(metadata(golden.signature));
  });

  it.each(BY_ID)('for message ids has the bytes and the signature of the wire', (golden) => {
    const bytes = encodeResultsRequest(golden.ids);
    expect(bytesToHex(bytes)).toBe(golden.bytes);
    expect(sign(METHOD_PATHS.GetVerifierResultsForMessage, bytes, NOW_MS)).toEqual(metadata(golden.signature));
  });

  it('has no header at all without key and secret', () => {
    expect(createSigner({ apiKey: '', secret: '' })(METHOD_PATHS.GetMessagesSince, Buffer.alloc(0), NOW_MS)).toEqual(
      {},
    );
  });

  it.each([
    { apiKey: API_KEY, secret: '' },
    { apiKey: '', secret: SECRET },
    { apiKey: API_KEY, secret: SECRET.slice(2) },
    { apiKey: API_KEY, secret: `0x${SECRET}` },
    { apiKey: API_KEY, secret: `${SECRET}0` },
  ])('is not made with credentials that sign nothing, and their error shows none of them', (credentials) => {
    const make = () => createSigner(credentials);
    expect(make).toThrow(InvalidArgumentError);
    expect(make).not.toThrow(/3b2411|000102/);
  });
});
