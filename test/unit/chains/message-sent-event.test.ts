import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { decodeAbiParameters, decodeEventLog } from 'viem';
import { describe, expect, it } from 'vitest';
import { AbiDecodeError } from '../../../src/chains/logs/abi-reader.js';
import {
  decodeMessageSentData,
  MESSAGE_SENT_EVENT,
  MESSAGE_SENT_TOPIC,
} from '../../../src/chains/logs/message-sent-event.js';
import { bytesToHex, type Hex, hexToBytes } from '../../../src/core/hex.js';
import { encodeMessageSentData, MESSAGE_SENT_PARAMETERS } from '../../support/chain/log-emitter.js';

interface LaneMessage {
  readonly label: string;
  readonly rawLog: { readonly topics: [Hex, ...Hex[]]; readonly data: Hex };
}
const lane = JSON.parse(readFileSync(new URL('../../fixtures/lane.json', import.meta.url), 'utf8')) as {
  readonly messages: readonly LaneMessage[];
};

const decode = (data: Uint8Array) => {
  const { encodedMessage, issuers } = decodeMessageSentData(Buffer.from(data));
  return { encodedMessage: bytesToHex(encodedMessage), issuers };
};

/** What viem makes of it, or null when it refuses. */
function decodeWithViem(data: Uint8Array): { encodedMessage: Hex; issuers: Hex[] } | null {
  try {
    const [, , encodedMessage, receipts] = decodeAbiParameters(MESSAGE_SENT_PARAMETERS, data);
    return { encodedMessage, issuers: receipts.map(({ issuer }) => issuer.toLowerCase() as Hex) };
  } catch {
    return null;
  }
}

describe('decoding CCIPMessageSent', () => {
  it.each(lane.messages)('agrees with viem on the recorded log $label', ({ rawLog }) => {
    const { args } = decodeEventLog({ abi: [MESSAGE_SENT_EVENT], topics: rawLog.topics as [Hex], data: rawLog.data });
    const { encodedMessage, receipts } = args as unknown as { encodedMessage: Hex; receipts: { issuer: string }[] };
    expect(rawLog.topics[0]).toBe(MESSAGE_SENT_TOPIC);
    expect(decode(hexToBytes(rawLog.data))).toEqual({
      encodedMessage,
      issuers: receipts.map(({ issuer }) => issuer.toLowerCase()),
    });
  });

  it('decodes events of any shape as viem does', () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map(bytesToHex);
    const address = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(bytesToHex);
    fc.assert(
      fc.property(bytes, fc.array(address, { maxLength: 12 }), (encodedMessage, issuers) => {
        const data = hexToBytes(encodeMessageSentData(encodedMessage, issuers));
        expect(decode(data)).toEqual({ encodedMessage, issuers });
      }),
    );
  });

  it('neither crashes on altered data nor accepts what viem refuses', () => {
    const originals = lane.messages.map(({ rawLog }) => hexToBytes(rawLog.data));
    const word = fc.oneof(
      fc.bigInt({ min: 0n, max: 2_048n }),
      fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
      fc.constantFrom(2n ** 256n - 1n, 2n ** 255n, 2n ** 64n, 2n ** 53n, 2n ** 48n, 2n ** 32n, 2n ** 31n),
    );
    const alteration = fc.oneof(
      fc.record({ kind: fc.constant('word' as const), at: fc.nat(60), value: word }),
      fc.record({ kind: fc.constant('byte' as const), at: fc.nat(2_000), value: fc.nat(255) }),
      fc.record({ kind: fc.constant('cut' as const), at: fc.nat(2_000) }),
      fc.record({ kind: fc.constant('extend' as const), bytes: fc.uint8Array({ maxLength: 70 }) }),
    );
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(
        fc.nat(originals.length - 1),
        fc.array(alteration, { minLength: 1, maxLength: 3 }),
        (index, alterations) => {
          let data = Buffer.from(originals[index] ?? []);
          for (const change of alterations) {
            if (change.kind === 'cut') data = data.subarray(0, change.at);
            else if (change.kind === 'extend') data = Buffer.concat([data, change.bytes]);
            else if (change.kind === 'byte' && change.at < data.length) data[change.at] = change.value;
            else if (change.kind === 'word' && change.at * 32 + 32 <= data.length)
              data.write(change.value.toString(16).padStart(64, '0'), change.at * 32, 'hex');
          }
          try {
            const ours = decode(data);
            expect(ours).toEqual(decodeWithViem(data));
            seen.accepted++;
          } catch (thrown) {
            if (!(thrown instanceof AbiDecodeError)) throw thrown;
            seen.refused++;
          }
        },
      ),
      { numRuns: 5_000 },
    );
    // the property says nothing unless both happened often
    expect(seen.accepted).toBeGreaterThan(500);
    expect(seen.refused).toBeGreaterThan(500);
  });

  it('names the field, the expectation and the place of a lie', () => {
    const data = Buffer.from(hexToBytes(lane.messages[0]!.rawLog.data));
    data.write('f'.repeat(64), 3 * 32, 'hex');
    expect(() => decode(data)).toThrow(/receipts at byte 96: expected a number within the data/);
  });

  it('refuses numbers and addresses wider than their type', () => {
    const clean = lane.messages[0]!.rawLog.data;
    const dirtyFeeToken = Buffer.from(hexToBytes(clean));
    dirtyFeeToken[0] = 1;
    expect(() => decode(dirtyFeeToken)).toThrow(/feeToken at byte 0: expected an address/);
  });

  it('refuses an array that claims more elements than a message can have', () => {
    const data = Buffer.alloc(200_000);
    data.writeUInt32BE(160, 3 * 32 - 4);
    data.writeUInt32BE(160, 4 * 32 - 4);
    data.writeUInt32BE(160, 5 * 32 - 4);
    data.writeUInt32BE(5_000, 6 * 32 - 4);
    expect(() => decode(data)).toThrow(/receipts at byte 160: expected at most 1024 elements/);
  });
});
