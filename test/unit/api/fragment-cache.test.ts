import { describe, expect, it } from 'vitest';
import { createFragments } from '../../../src/api/v1/fragment-cache.js';
import { messageEntryJson, verifierResultJson } from '../../../src/api/v1/record-json.js';
import type { StoredMessage, StoredVerifierResult } from '../../../src/model/records.js';
import { createRecordMaker } from '../../support/records.js';

const maker = createRecordMaker(12);
const stamp = (position: bigint) => ({ ingestionMs: 1_760_000_000_000, position, firstMs: 0, orphaned: false });
const result = (position: bigint): StoredVerifierResult => ({
  ...maker.result(maker.message()),
  ...stamp(position),
  verdict: null,
});

describe('rendered records', () => {
  it('are rendered once, also when a tier hands out a copy each time', () => {
    const fragments = createFragments({ maxBytes: 1024 * 1024 });
    const record = result(1n);
    const first = fragments.verifierResult(record);
    expect(fragments.verifierResult(record)).toBe(first);
    expect(fragments.verifierResult({ ...record, ccvData: Uint8Array.from(record.ccvData) })).toBe(first);
  });

  it('are rendered anew when the message changes its status', () => {
    const fragments = createFragments({ maxBytes: 1024 * 1024 });
    const before: StoredMessage = { ...maker.message(), ...stamp(1n), status: 'processing' };
    const after: StoredMessage = { ...before, position: 2n, status: 'success' };
    expect(fragments.message(before).json.toString()).toBe(messageEntryJson(before));
    expect(fragments.message(after).json.toString()).toBe(messageEntryJson(after));
  });

  it('never stand for another record, even at the same position', () => {
    const fragments = createFragments({ maxBytes: 1024 * 1024 });
    const record = result(1n);
    const others: StoredVerifierResult[] = [
      result(1n),
      { ...record, ingestionMs: record.ingestionMs + 1 },
      { ...record, ccvData: Uint8Array.of(1) },
      { ...record, verifierName: 'other' },
      { ...record, verifierSourceAddress: '0x01' },
    ];
    for (const other of others) {
      fragments.verifierResult(record);
      expect(fragments.verifierResult(other).json.toString()).toBe(verifierResultJson(other));
    }
  });

  it('are forgotten, the least recently used first, when their bytes are too many', () => {
    const fragments = createFragments({ maxBytes: 512 * 1024 });
    const records = Array.from({ length: 400 }, (_, index) => result(BigInt(index)));
    const rendered = records.map((record) => fragments.verifierResult(record));
    expect(fragments.verifierResult(records[399]!)).toBe(rendered[399]);
    expect(fragments.verifierResult(records[0]!)).not.toBe(rendered[0]);
  });

  it('are not kept at all when nothing may be kept', () => {
    const fragments = createFragments({ maxBytes: 0 });
    const record = result(1n);
    expect(fragments.verifierResult(record)).toEqual(fragments.verifierResult(record));
    expect(fragments.verifierResult(record)).not.toBe(fragments.verifierResult(record));
  });
});
