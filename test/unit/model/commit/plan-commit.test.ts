import { describe, expect, test } from 'vitest';
import type { Known, KnownId } from '../../../../src/model/commit/known.js';
import { planCommit } from '../../../../src/model/commit/plan-commit.js';
import { ccvHash, originHash } from '../../../../src/model/commit/pruned-hashes.js';
import { stampCommit } from '../../../../src/model/commit/stamp-commit.js';
import { messagePayloadHash, verifierResultPayloadHash } from '../../../../src/model/payload.js';
import { createRecordMaker } from '../../../support/records.js';
import { commitAll, KnownRecords, lackingOf, planned } from './known-records.js';

const make = createRecordMaker(82);
const message = make.message({ ccvs: [make.hex(20), make.hex(20)], origin: make.origin(7n) });
const { messageId } = message;
const blockHash = message.origin!.blockHash;
const result = make.result(message);
const BEGINNING = { position: 0n, movePosition: 0n };

describe('over whole records', () => {
  const stored = commitAll(new KnownRecords(), [{ messages: [message], verifierResults: [result] }], 100).state;

  test('promise 9: an orphaning moves the message and its results out of the lists, and says where they were', () => {
    const { commit, state } = commitAll(stored, [{ orphanings: [{ messageId, blockHash }] }], 200);
    expect(commit.changes).toMatchObject([
      { kind: 'message', position: 3n, record: { orphaned: true, ingestionMs: 100 } },
      { kind: 'verifierResult', position: 4n, record: { orphaned: true, ingestionMs: 100 } },
    ]);
    expect(commit.moves.map(({ oldMs }) => oldMs)).toEqual([100, 100]);
    expect(commit.movePosition).toBe(4n);

    const origin = make.origin(8n);
    const back = commitAll(state, [{ messages: [{ ...message, origin }] }], 300);
    expect(back.verdicts).toMatchObject([{ outcome: { messages: ['returned'] } }]);
    expect(back.commit.changes).toMatchObject([
      { kind: 'message', record: { orphaned: false, ingestionMs: 300, firstMs: 100, origin } },
      { kind: 'verifierResult', record: { orphaned: false, ingestionMs: 300, firstMs: 100 } },
    ]);
    expect(back.commit.moves).toEqual([]);
    expect(back.commit.movePosition).toBe(back.commit.throughPosition);
  });

  test('an orphaning of another block takes no effect', () => {
    expect(commitAll(stored, [{ orphanings: [{ messageId, blockHash: make.hex(32) }] }], 200).commit.changes).toEqual(
      [],
    );
  });

  test('a record that left the lists and came back in one group moved once, from where it was listed', () => {
    const { commit } = commitAll(stored, [{ orphanings: [{ messageId, blockHash }] }, { messages: [message] }], 200);
    expect(commit.changes).toMatchObject([
      { record: { orphaned: false, ingestionMs: 200 } },
      { kind: 'verifierResult' },
    ]);
    expect(commit.moves.map(({ oldMs }) => oldMs)).toEqual([100, 100]);
  });

  test('a result of an orphaned message is not listed, and no move', () => {
    const { state } = commitAll(stored, [{ orphanings: [{ messageId, blockHash }] }], 200);
    const { commit } = commitAll(state, [{ verifierResults: [make.result(message, 1)] }], 300);
    expect(commit.changes).toMatchObject([{ record: { orphaned: true } }]);
    expect(commit.movePosition).toBe(0n);
  });

  test('a conflict is told to each batch that meets it, and recorded for the first', () => {
    const other = { ...result, ccvData: make.bytes(3) };
    const { commit, verdicts } = commitAll(stored, [{ verifierResults: [other] }, { verifierResults: [other] }], 200);
    const conflict = { storedHash: verifierResultPayloadHash(result), receivedHash: verifierResultPayloadHash(other) };
    expect(commit.changes).toMatchObject([{ kind: 'conflict', record: conflict }]);
    expect(verdicts).toMatchObject([
      { outcome: { conflicts: [conflict], committed: { throughPosition: 3n } } },
      { outcome: { conflicts: [conflict], committed: null } },
    ]);
  });

  test('the stored side of a conflict is the stored result, also where the body came with another result', () => {
    const [first, second] = [make.result(message, 0), make.result(message, 1)];
    const { state } = commitAll(new KnownRecords(), [{ verifierResults: [first, second] }], 100);
    const { commit } = commitAll(state, [{ verifierResults: [{ ...second, ccvData: make.bytes(3) }] }], 200);
    expect(commit.changes).toMatchObject([{ record: { storedHash: verifierResultPayloadHash(second) } }]);
  });

  test('each stored result of a message is looked at a few times, however many of them are given again', () => {
    const results = Array.from({ length: 300 }, () => make.result(message));
    const id = commitAll(new KnownRecords(), [{ verifierResults: results }], 100).state.id(messageId)!;
    let looks = 0;
    const counted = id.results.map((each) => ({
      ...each,
      get verifierDestAddress() {
        looks += 1;
        return each.verifierDestAddress;
      },
    }));
    const state = new KnownRecords();
    state.id = () => ({ ...id, results: counted });
    const { verdicts } = commitAll(state, [{ verifierResults: results }], 200);
    expect(verdicts).toMatchObject([{ outcome: { verifierResults: results.map(() => 'duplicate') } }]);
    expect(looks).toBeLessThan(10 * results.length);
  });

  test('a cursor falls only when it is set back', () => {
    const move = { sourceId: 'chain:1', height: 9n, hash: null, expectedHeight: null };
    const { state } = commitAll(stored, [{ cursors: [move] }], 200);
    const lower = { ...move, height: 5n, expectedHeight: 9n };
    expect(commitAll(state, [{ cursors: [lower] }], 300).verdicts).toMatchObject([{ ok: false }]);
    const setBack = commitAll(state, [{ cursors: [{ ...lower, setBack: true }] }], 300);
    expect(setBack.commit.changes).toMatchObject([{ kind: 'cursor', record: { height: 5n } }]);
  });
});

describe('over records that are known by hash', () => {
  const hash = make.hex(32);
  const pruned: KnownId = {
    ...{ firstMs: 50, body: null, bodyHash: hash, isBodyPruned: true, isPruned: true },
    message: { prunedOrigin: originHash(message.origin!), status: 'timeout', orphaned: false },
    results: [
      { ...result, ccvData: new Uint8Array(0), prunedCcv: ccvHash(result.ccvData), orphaned: false, ingestionMs: 0 },
    ],
  };
  const known = (id: KnownId, isRecorded?: boolean): Known => ({
    id: (wanted) => (wanted === messageId ? id : undefined),
    execution: () => undefined,
    cursor: () => undefined,
    lease: () => undefined,
    hasQuarantine: () => false,
    hasConflict: () => isRecorded,
  });
  const given = { ...message, bodyHash: hash };
  const givenResult = { ...result, bodyHash: hash };

  test('a duplicate of a pruned record is told by its hash', () => {
    const plan = planned(planCommit(known(pruned), [{ messages: [given], verifierResults: [givenResult] }]));
    expect(plan.batches).toMatchObject([
      { ok: true, changed: false, outcome: { messages: ['duplicate'], verifierResults: ['duplicate'] } },
    ]);
  });

  test('a new result of a pruned message takes the time of its first record', () => {
    const batch = { verifierResults: [{ ...make.result(message, 1), bodyHash: hash }] };
    const commit = stampCommit(planned(planCommit(known(pruned), [batch])), 200, BEGINNING);
    expect(commit.changes).toMatchObject([{ record: { firstMs: 50, ingestionMs: 200, orphaned: false } }]);
  });

  test.each([
    ['a status that moves forward', { statuses: [{ messageId, status: 'success' as const }] }],
    ['another origin', { messages: [{ ...given, origin: make.origin(8n) }] }],
    ['an orphaning', { orphanings: [{ messageId, blockHash }] }],
    ['a message with another body', { messages: [{ ...given, bodyHash: make.hex(32) }] }],
    ['a result with other bytes', { verifierResults: [{ ...givenResult, ccvData: make.bytes(2) }] }],
  ])('%s lacks the pruned records', (_what, batch) => {
    expect([...lackingOf(known(pruned), batch).recalls]).toEqual([messageId]);
  });

  test('a status that the pruned message has lacks nothing', () => {
    const batch = { statuses: [{ messageId, status: 'timeout' as const }] };
    expect(planCommit(known(pruned), [batch])).toMatchObject({ kind: 'planned', batches: [{ changed: false }] });
  });

  test('a conflict with an unread body lacks the body, and whether it is recorded', () => {
    const unread: KnownId = { firstMs: 50, body: null, bodyHash: hash, message: undefined, results: [] };
    const liar = { ...message, messageExecutorAddress: make.hex(20), bodyHash: make.hex(32) };
    const lacking = lackingOf(known(unread), { messages: [liar] });
    expect([...lacking.bodies]).toEqual([messageId]);
    expect(lacking.conflicts).toMatchObject([{ messageId, receivedHash: messagePayloadHash(liar) }]);
    const plan = planned(planCommit(known({ ...unread, body: message }, false), [{ messages: [liar] }]));
    expect(plan.conflicts).toMatchObject([{ storedHash: messagePayloadHash(message) }]);
    expect(planned(planCommit(known({ ...unread, body: message }, true), [{ messages: [liar] }])).conflicts).toEqual(
      [],
    );
  });
});
