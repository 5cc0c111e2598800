import fc from 'fast-check';
import { bytesToHex, type Hex } from '../../../../src/core/hex.js';
import type { StoredExecution, StoredMessage, StoredVerifierResult } from '../../../../src/model/records.js';
import { CONFLICTING_KINDS } from '../../../../src/model/records.js';
import { encodeMessage } from '../../../../src/protocol/message-codec.js';
import { EXECUTION_STATES, SIGNATURE_VERDICTS } from '../../../../src/protocol/records.js';
import type { LedgerChange, LedgerEntry } from '../../../../src/storage/cold/rows/ledger.js';
import { returnOf } from '../../../../src/storage/cold/rows/orphan-return.js';
import type { RowKind } from '../../../../src/storage/cold/rows/row-kind.js';
import { messages } from '../../protocol/arbitraries.js';

const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;

const hexOf = (minLength: number, maxLength: number): fc.Arbitrary<Hex> =>
  fc.uint8Array({ minLength, maxLength }).map(bytesToHex);
const id = hexOf(32, 32);
const address = fc.oneof({ weight: 4, arbitrary: hexOf(20, 20) }, { weight: 1, arbitrary: hexOf(0, 255) });
const int64 = fc.oneof(fc.bigInt({ min: 0n, max: MAX_INT64 }), fc.constantFrom(0n, MAX_INT64));
const uint64 = fc.oneof(fc.bigInt({ min: 0n, max: MAX_UINT64 }), fc.constantFrom(0n, MAX_INT64 + 1n, MAX_UINT64));
const ms = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.maxSafeNat(), fc.constant(Number.MAX_SAFE_INTEGER));
const text = fc.string({ unit: 'grapheme' });
const name = fc.string({ unit: 'grapheme', minLength: 1 });
const encodedMessage = fc.uint8Array({ minLength: 79, maxLength: 400 });
const blob = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 70_000, 200_000).map((length) => new Uint8Array(length).fill(7)) },
);
const body = {
  messageId: id,
  encodedMessage,
  messageCCVAddresses: fc.oneof(
    fc.constant<Hex[]>([]),
    fc.constant<Hex[]>(['0x']),
    fc.array(address, { maxLength: 4 }),
  ),
  messageExecutorAddress: address,
};
const place = fc.record({
  blockNumber: int64,
  blockHash: id,
  blockTimestampMs: ms,
  transactionHash: address,
  logIndex: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
});
const stamp = { ingestionMs: ms, position: int64, firstMs: ms, orphaned: fc.constant(false) };

/** Any verifier result that a storage accepts. */
export const storedVerifierResults: fc.Arbitrary<StoredVerifierResult> = fc.record({
  ...body,
  ...stamp,
  verifierSourceAddress: address,
  verifierDestAddress: address,
  ccvData: blob,
  attestationMs: ms,
  verifierName: text,
  verdict: fc.option(fc.record({ verdict: fc.constantFrom(...SIGNATURE_VERDICTS), configBlock: int64 })),
});

/** Any message that a storage accepts. */
export const storedMessages: fc.Arbitrary<StoredMessage> = fc.record({
  ...body,
  ...stamp,
  status: fc.constantFrom('processing' as const, 'success' as const, 'timeout' as const),
  origin: fc.option(place),
});

/** Any execution that a storage accepts. */
export const storedExecutions: fc.Arbitrary<StoredExecution> = fc.record({
  messageId: id,
  sourceChainSelector: uint64,
  destChainSelector: uint64,
  messageNumber: uint64,
  offRamp: address,
  state: fc.constantFrom(...EXECUTION_STATES),
  returnData: blob,
  place,
  ingestionMs: ms,
  position: int64,
  orphaned: fc.constant(false),
});

/** Any message that a storage accepts and that is one. */
export const decodableMessages: fc.Arbitrary<StoredMessage> = fc
  .tuple(storedMessages, messages)
  .map(([record, message]) => ({ ...record, encodedMessage: encodeMessage(message) }));

const cursors = fc.record({ sourceId: name, height: int64, hash: fc.option(address), position: int64 });
const quarantineEntries = fc.record({
  sourceId: name,
  key: name,
  reason: name,
  detail: text,
  raw: blob,
  messageId: fc.option(id),
  ingestionMs: ms,
  position: int64,
});
const conflicts = fc.record({
  record: fc.constantFrom(...CONFLICTING_KINDS),
  messageId: id,
  verifierSourceAddress: address,
  verifierDestAddress: address,
  storedHash: id,
  receivedHash: id,
  ingestionMs: ms,
  position: int64,
});

/** Any change of the ledger. */
export const ledgerChanges: fc.Arbitrary<LedgerChange> = fc.oneof(
  cursors.map((record): LedgerChange => ({ kind: 'cursor', position: record.position, record })),
  quarantineEntries.map((record): LedgerChange => ({ kind: 'quarantine', position: record.position, record })),
  conflicts.map((record): LedgerChange => ({ kind: 'conflict', position: record.position, record })),
);

/** Any row of the ledger about a record that left the lists, or came back. */
export const orphanEntries: fc.Arbitrary<LedgerEntry> = fc.oneof(
  storedMessages.map((record): LedgerEntry => {
    return { kind: 'message', position: record.position, record: { ...record, orphaned: true } };
  }),
  storedVerifierResults.map((record): LedgerEntry => {
    return { kind: 'verifierResult', position: record.position, record: { ...record, orphaned: true } };
  }),
  storedExecutions.map((record): LedgerEntry => {
    return { kind: 'execution', position: record.position, record: { ...record, orphaned: true } };
  }),
  storedMessages.map((record) => returnOf({ kind: 'message', position: record.position, record })),
  storedVerifierResults.map((record) => returnOf({ kind: 'verifierResult', position: record.position, record })),
  storedExecutions.map((record) => returnOf({ kind: 'execution', position: record.position, record })),
);

/** Records as a file takes them. */
export function inOrder<T, K>(kind: RowKind<T, K>, records: readonly T[]): T[] {
  return [...records].sort((a, b) => kind.compare(kind.keyOf(a), kind.keyOf(b)));
}
