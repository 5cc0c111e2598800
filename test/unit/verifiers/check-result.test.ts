import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesToHex, type Hex, hexToBytes } from '../../../src/core/hex.js';
import { parseExactJson } from '../../../src/protocol/exact-json.js';
import type { VerifierResult } from '../../../src/protocol/records.js';
import { canonicalAddress } from '../../../src/verifiers/address.js';
import { type CheckedClaim, checkVerifierResult } from '../../../src/verifiers/check-result.js';
import { claimFromJson } from '../../../src/verifiers/claim.js';
import { resultJson } from '../../support/indexer/verifier-server.js';
import { createRecordMaker } from '../../support/records.js';

const NOW_MS = 1_800_000_000_000;
const make = createRecordMaker(1, { judged: false });

function check(json: string, issuers: readonly Hex[]): CheckedClaim {
  const read = claimFromJson(parseExactJson(json));
  if (read.kind === 'rejected') return read;
  return checkVerifierResult(read.claim, {
    verifierName: 'committee',
    issuers: new Set(issuers.map(canonicalAddress)),
    nowMs: NOW_MS,
  });
}

/** Bytes are Uint8Array or Buffer: compared as what they hold. */
const plain = (result: VerifierResult) => ({
  ...result,
  encodedMessage: bytesToHex(result.encodedMessage),
  ccvData: bytesToHex(result.ccvData),
});

function accepted(found: CheckedClaim): unknown {
  return found.kind === 'verification' ? plain(found.result) : found;
}

function sample(): { result: VerifierResult; issuers: readonly Hex[] } {
  const message = make.message({ ccvs: [make.hex(20), make.hex(20)] });
  return {
    result: make.result(message, 1, { verifierName: 'committee' }),
    issuers: [message.messageCCVAddresses[1] as Hex],
  };
}

const pad = (address: Hex): Hex => `0x${'00'.repeat(12)}${address.slice(2)}`;
const metadata = (result: VerifierResult, fields: object) =>
  JSON.stringify({
    timestamp: result.attestationMs,
    verifier_source_address: result.verifierSourceAddress,
    verifier_dest_address: result.verifierDestAddress,
    ...fields,
  });

describe('a verifier result', () => {
  it('that holds is taken as it is', () => {
    const { result, issuers } = sample();
    expect(accepted(check(resultJson(result), issuers))).toEqual(plain(result));
  });

  it('in upper-case hex is taken in lower case', () => {
    const { result, issuers } = sample();
    const upper = (hex: string) => `0x${hex.slice(2).toUpperCase()}`;
    const json = resultJson(result, {
      message_ccv_addresses: JSON.stringify(result.messageCCVAddresses.map(upper)),
      message_executor_address: JSON.stringify(upper(result.messageExecutorAddress)),
      metadata: metadata(result, { verifier_source_address: upper(result.verifierSourceAddress) }),
    });
    expect(
      accepted(
        check(
          json,
          issuers.map((issuer) => upper(issuer) as Hex),
        ),
      ),
    ).toEqual(plain(result));
  });

  it('with addresses padded to 32 bytes is taken for their 20 bytes', () => {
    const { result, issuers } = sample();
    const json = resultJson(result, {
      message_ccv_addresses: JSON.stringify(result.messageCCVAddresses.map(pad)),
      message_executor_address: JSON.stringify(pad(result.messageExecutorAddress)),
      metadata: metadata(result, { verifier_source_address: pad(result.verifierSourceAddress) }),
    });
    expect(accepted(check(json, issuers.map(pad)))).toEqual(plain(result));
  });

  it.each(['0x3c4605eb00112233', '0x3c4605eb', '0xe9a05a20', null])(
    'with the data %s only announces its message',
    (ccvData) => {
      const { result, issuers } = sample();
      expect(check(resultJson(result, { ccv_data: JSON.stringify(ccvData) }), issuers).kind).toBe('discovery-only');
    },
  );

  it('whose addresses are not those the message commits to is rejected', () => {
    const { result, issuers } = sample();
    for (const fields of [
      { message_ccv_addresses: JSON.stringify([...result.messageCCVAddresses].reverse()) },
      { message_ccv_addresses: JSON.stringify(result.messageCCVAddresses.slice(1)) },
      { message_ccv_addresses: JSON.stringify([...result.messageCCVAddresses, make.hex(20)]) },
      { message_ccv_addresses: '[]' },
      { message_ccv_addresses: 'null' },
      { message_executor_address: JSON.stringify(make.hex(20)) },
      { message_executor_address: '""' },
    ])
      expect(check(resultJson(result, fields), issuers)).toMatchObject({
        kind: 'rejected',
        reason: 'ccv_and_executor_hash',
        messageId: result.messageId,
      });
  });

  it('of a verifier that the message does not name is rejected, even when the reader speaks for it', () => {
    const { result } = sample();
    const stranger = make.hex(20);
    const json = resultJson(result, { metadata: metadata(result, { verifier_source_address: stranger }) });
    expect(check(json, [stranger])).toMatchObject({ kind: 'rejected', reason: 'source_not_in_message' });
    const empty = resultJson(result, { metadata: metadata(result, { verifier_source_address: '' }) });
    expect(check(empty, [stranger])).toMatchObject({ kind: 'rejected', reason: 'source_not_in_message' });
  });

  it('of one of the message’s CCVs for which the reader does not speak is rejected', () => {
    const { result } = sample();
    expect(check(resultJson(result), [result.messageCCVAddresses[0] as Hex])).toMatchObject({
      kind: 'rejected',
      reason: 'source_not_of_reader',
    });
  });

  it('with more ccv_data than the reader takes is rejected, whatever else is wrong with it (promise 10)', () => {
    const { result, issuers } = sample();
    const json = (bytes: number) => resultJson(result, { ccv_data: `"0x${'e9'.repeat(bytes)}"` });
    expect(check(json(131_072), issuers)).toMatchObject({ kind: 'verification' });
    expect(check(json(131_073), issuers)).toMatchObject({
      kind: 'rejected',
      reason: 'ccv_data_size',
      messageId: result.messageId,
      detail: 'ccv_data has 131073 bytes: expected at most 131072',
    });
    expect(check(json(131_073), [])).toMatchObject({ reason: 'ccv_data_size' });
  });

  it.each([1.5, -1, NOW_MS + 25 * 3_600_000, 1e18])('with the time %s is rejected', (timestamp) => {
    const { result, issuers } = sample();
    const json = resultJson(result, { metadata: metadata(result, { timestamp }) });
    expect(check(json, issuers)).toMatchObject({ kind: 'rejected', reason: 'timestamp' });
  });

  it('of the wrong shape is rejected with the path', () => {
    const { result, issuers } = sample();
    const { messageId } = result;
    const shape = (fields: Record<string, string>) => check(resultJson(result, fields), issuers);
    expect(shape({ metadata: 'null' })).toMatchObject({
      reason: 'shape',
      messageId,
      detail: 'metadata: expected an object',
    });
    expect(shape({ metadata: '[]' })).toMatchObject({ reason: 'shape', messageId });
    expect(shape({ metadata: metadata(result, { timestamp: '2025' }) })).toMatchObject({ reason: 'shape', messageId });
    expect(shape({ ccv_data: '"aGk="' })).toMatchObject({ reason: 'shape', messageId });
    expect(shape({ message_ccv_addresses: '{}' })).toMatchObject({ reason: 'shape', messageId });
    expect(shape({ message_ccv_addresses: '[7]' })).toMatchObject({ reason: 'shape', messageId });
    expect(shape({ message: '{}' })).toMatchObject({ reason: 'message', messageId: null });
    expect(check('[]', issuers)).toMatchObject({ reason: 'shape', messageId: null });
    expect(check('7', issuers)).toMatchObject({ reason: 'shape', messageId: null });
  });

  it('that real committees signed on a real lane is taken', () => {
    const lane = JSON.parse(readFileSync(new URL('../../fixtures/lane.json', import.meta.url), 'utf8'));
    let checked = 0;
    for (const attestation of lane.attestations) {
      const message = lane.messages.find(
        (each: { event: { messageId: Hex } }) => each.event.messageId === attestation.messageId,
      );
      if (!message) continue;
      const ccvs = message.split.ccvAddresses.map((address: string) => address.toLowerCase());
      const result: VerifierResult = {
        messageId: attestation.messageId,
        verifierSourceAddress: ccvs[0],
        verifierDestAddress: make.hex(20),
        encodedMessage: hexToBytes(message.event.encodedMessage),
        messageCCVAddresses: ccvs,
        messageExecutorAddress: message.split.executorAddress.toLowerCase(),
        ccvData: hexToBytes(attestation.committee1.verifierResults),
        attestationMs: 1_763_000_000_000,
        verifierName: 'committee',
      };
      const expected = attestation.committee1.discoveryOnly ? 'discovery-only' : 'verification';
      const found = check(resultJson(result), [ccvs[0]]);
      expect(found.kind).toBe(expected);
      if (found.kind === 'verification')
        expect(bytesToHex(found.result.encodedMessage)).toBe(message.event.encodedMessage);
      checked++;
    }
    expect(checked).toBeGreaterThan(3);
  });
});
