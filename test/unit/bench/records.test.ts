import { expect, it } from 'vitest';
import { createSample } from '../../../scripts/bench/sample.js';
import { createRecordStream, type PayloadKind, randomBytesOf } from '../../../scripts/bench/workload/record-stream.js';
import { PAYLOAD_BYTES } from '../../../scripts/bench/workload/records.js';
import type { ChangeSet } from '../../../src/model/batch.js';
import type { StoredVerifierResult } from '../../../src/model/records.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import { decodeMessage } from '../../../src/protocol/message-codec.js';

const LANES = 4;
const KINDS: readonly PayloadKind[] = ['abi', 'random'];

function recordsOf({ changes }: ChangeSet): readonly StoredVerifierResult[] {
  return changes.map((change) => {
    if (change.kind !== 'verifierResult') throw new Error(change.kind);
    return change.record;
  });
}

it.each(KINDS)('makes distinct records of the right size that are what they claim (%s)', (payload) => {
  const records = recordsOf(createRecordStream({ seed: 1, payload }).take(2_000));
  expect(new Set(records.map(({ messageId }) => messageId)).size).toBe(records.length);
  for (const [index, { messageId, encodedMessage, ccvData }] of records.entries()) {
    expect(encodedMessage.length + ccvData.length).toBe(PAYLOAD_BYTES);
    expect(computeMessageId(encodedMessage)).toBe(messageId);
    expect(decodeMessage(encodedMessage).messageNumber).toBe(BigInt(index + 1));
  }
});

it.each(KINDS)('counts the random bytes of a payload (%s)', (payload) => {
  const records = recordsOf(createRecordStream({ seed: 2, payload }).take(4_000));
  // of one lane; a place whose byte takes half of all values is random
  const payloads = records.filter((_, i) => i % LANES === 0).map((each) => [...each.encodedMessage, ...each.ccvData]);
  const randomPlaces = Array.from({ length: PAYLOAD_BYTES }, (_, at) => at).filter(
    // the message number counts up
    (at) => (at < 17 || at > 24) && new Set(payloads.map((bytes) => bytes[at])).size > 128,
  );
  expect(randomPlaces.length).toBe(randomBytesOf(payload));
});

it('makes the same records however they are taken, in sets that continue each other', () => {
  const stream = createRecordStream({ seed: 3, payload: 'abi' });
  const sets = [stream.take(50), stream.take(100), stream.take(150)];
  const whole = createRecordStream({ seed: 3, payload: 'abi' }).take(300);
  expect(sets.flatMap(({ changes }) => changes)).toEqual(whole.changes);
  for (const [index, set] of sets.entries()) {
    const before = sets[index - 1];
    expect(set.afterPosition).toBe(before?.throughPosition ?? 0n);
    expect(recordsOf(set)[0]!.ingestionMs).toBeGreaterThan(before?.headMs ?? 0);
    expect(set.headMs).toBe(recordsOf(set).at(-1)!.ingestionMs);
  }
});

it('refuses to take half of a commit: the next set would have its time', () => {
  expect(() => createRecordStream({ seed: 4, payload: 'abi' }).take(75)).toThrow('whole commits');
});

it('picks records that share no row group with each other, and others from everywhere', () => {
  const total = 20_000;
  const sample = createSample(total);
  const stream = createRecordStream({ seed: 5, payload: 'abi' });
  const places = new Map<string, number>();
  for (let at = 0; at < total; at += 1_000) {
    const set = stream.take(1_000);
    for (const { messageId } of recordsOf(set)) places.set(messageId, places.size);
    sample.see(set);
  }
  const placeOf = ({ messageId }: { readonly messageId: string }) => places.get(messageId)!;
  const inOrder = [...sample.apart, ...sample.everywhere].map(placeOf).sort((a, b) => a - b);
  for (const [index, place] of inOrder.entries())
    if (index > 0) expect(place - inOrder[index - 1]!).toBeGreaterThanOrEqual(256);
  expect(sample.apart.length).toBeGreaterThan(50);
  expect(sample.everywhere.map(placeOf)).toContain(0);
  expect(sample.spread.length).toBe(total / 2);
  expect(new Set(sample.spread).size).toBe(sample.spread.length);
  expect(sample.spread.map(placeOf)).not.toEqual(sample.spread.map(placeOf).sort((a, b) => a - b));
});
