import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WriteBatch } from '../../../../src/model/batch.js';
import { changedRecord } from '../../../../src/model/identity.js';
import type { StoredMessage } from '../../../../src/model/records.js';
import { MESSAGE_STATUSES } from '../../../../src/model/status.js';
import { createRecordMaker } from '../../../support/records.js';
import { commitAll, KnownRecords } from './known-records.js';

const make = createRecordMaker(81);
const ORIGINS = [make.origin(1n), make.origin(2n)];
const BODIES = [0, 1, 2].map(() => make.message({ ccvs: [make.hex(20), make.hex(20)] }));
const MESSAGES = BODIES.flatMap((message) => [
  ...[...ORIGINS, null].map((origin) => ({ ...message, origin })),
  { ...message, messageExecutorAddress: make.hex(20) },
]);
const RESULTS = BODIES.flatMap((message) =>
  [0, 1].flatMap((ccv) => {
    const result = make.result(message, ccv);
    return [result, { ...result, ccvData: make.bytes(9) }, { ...result, messageCCVAddresses: [make.hex(20)] }];
  }),
);

const listOf = <T>(items: readonly T[]) => fc.array(fc.constantFrom(...items), { maxLength: 4 });
const batches: fc.Arbitrary<WriteBatch> = fc.record({
  orphanings: listOf(BODIES.flatMap(({ messageId }) => ORIGINS.map(({ blockHash }) => ({ messageId, blockHash })))),
  messages: listOf(MESSAGES),
  verifierResults: listOf(RESULTS),
  statuses: listOf(BODIES.flatMap(({ messageId }) => MESSAGE_STATUSES.map((status) => ({ messageId, status })))),
  quarantine: listOf(
    ['a', 'b'].map((key) => ({
      ...{ sourceId: 's', key, reason: 'R', detail: '', raw: new Uint8Array(1), messageId: null },
    })),
  ),
  cursors: listOf(
    ([null, 1n, 2n] as const).flatMap((expectedHeight) =>
      [1n, 2n, 3n].map((height) => ({ sourceId: 'chain:1', height, hash: null, expectedHeight })),
    ),
  ),
});
const groups = fc.array(fc.array(batches, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 });

/** The states after each group, the empty one first. */
function statesOf(history: readonly (readonly WriteBatch[])[]): KnownRecords[] {
  const states = [new KnownRecords()];
  for (const [index, group] of history.entries()) states.push(commitAll(states.at(-1)!, group, 10 * index).state);
  return states;
}

test('promise 2: the parts of a batch that only store change nothing the second time', () => {
  fc.assert(
    fc.property(groups, batches, (history, { messages, verifierResults, quarantine }) => {
      const batch = { messages, verifierResults, quarantine } as WriteBatch;
      const before = statesOf(history).at(-1)!;
      const first = commitAll(before, [batch], 1_000);
      // of two origins of one message the later holds, so only a last one is what is stored
      const lastOf = new Map((messages ?? []).map((message) => [message.messageId, message]));
      const again = { verifierResults, quarantine, messages: [...lastOf.values()] } as WriteBatch;
      const origins = [...lastOf.values()].map(({ messageId, origin }) => [first.state.id(messageId)?.message, origin]);
      fc.pre(origins.every(([stored, origin]) => origin === null || isAt(stored as StoredMessage, origin)));
      expect(commitAll(first.state, [again], 2_000)).toMatchObject({
        commit: { changes: [] },
        verdicts: [{ ok: true, outcome: { committed: null } }],
      });
    }),
  );
});

function isAt(stored: StoredMessage | undefined, origin: unknown): boolean {
  return stored !== undefined && JSON.stringify(stored.origin, text) === JSON.stringify(origin, text);
}

function text(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

test('promise 2: the first payload of an identity stays for good', () => {
  fc.assert(
    fc.property(groups, (history) => {
      const states = statesOf(history);
      for (const [index, state] of states.entries())
        for (const [name, { kind, record }] of state.changes) {
          const later = states.slice(index).map(({ changes }) => changes.get(name)?.record);
          if (kind === 'message' || kind === 'verifierResult')
            for (const other of later) {
              const { encodedMessage, messageExecutorAddress, firstMs } = record;
              expect(other).toMatchObject({ encodedMessage, messageExecutorAddress, firstMs });
              if (kind === 'verifierResult') expect(other).toMatchObject({ ccvData: record.ccvData });
            }
          else if (kind !== 'cursor') for (const other of later) expect(other).toEqual(record);
        }
    }),
  );
});

test('promise 6: positions follow without gaps, and each changed record takes one', () => {
  fc.assert(
    fc.property(groups, (history) => {
      let state = new KnownRecords();
      for (const [index, group] of history.entries()) {
        const { commit, state: next } = commitAll(state, group, 10 * index);
        expect(commit.changes.map(({ position }) => position)).toEqual(
          commit.changes.map((_, offset) => state.position + BigInt(offset) + 1n),
        );
        expect(new Set(commit.changes.map(changedRecord)).size).toBe(commit.changes.length);
        state = next;
      }
    }),
  );
});

test('promise 9: the results of a message are in the lists exactly while it is', () => {
  fc.assert(
    fc.property(groups, (history) => {
      const state = statesOf(history).at(-1)!;
      for (const { messageId } of BODIES) {
        const id = state.id(messageId);
        for (const result of id?.results ?? []) expect(result.orphaned).toBe(id?.message?.orphaned ?? false);
      }
    }),
  );
});

test('a group of batches leaves the state that its batches leave one by one, but for times and positions', () => {
  fc.assert(
    fc.property(groups, fc.array(batches, { minLength: 2, maxLength: 4 }), (history, group) => {
      const before = statesOf(history).at(-1)!;
      let alone = before;
      const verdicts = group.map((batch) => {
        const committed = commitAll(alone, [batch], 1_000);
        alone = committed.state;
        return committed.verdicts[0];
      });
      const together = commitAll(before, group, 1_000);
      expect(contentsOf(together.state)).toEqual(contentsOf(alone));
      expect(together.verdicts.map(withoutStamp)).toEqual(verdicts.map(withoutStamp));
    }),
  );
});

function contentsOf({ changes }: KnownRecords): unknown {
  return new Map([...changes].map(([name, { record }]) => [name, { ...record, position: 0n }]));
}

function withoutStamp(verdict: unknown): unknown {
  return JSON.parse(JSON.stringify(verdict, (key, value) => (key === 'throughPosition' ? 0 : text(key, value))));
}

test('a refused batch changes nothing, and its neighbours are committed', () => {
  fc.assert(
    fc.property(groups, batches, (history, batch) => {
      const before = statesOf(history).at(-1)!;
      const move = { sourceId: 'chain:9', height: 5n, hash: null, expectedHeight: 4n };
      const refused = { ...batch, cursors: [move] };
      const { verdicts, state } = commitAll(before, [refused, batch], 1_000);
      expect(verdicts[0]).toMatchObject({ ok: false, error: { name: 'CursorConflictError' } });
      expect(contentsOf(state)).toEqual(contentsOf(commitAll(before, [batch], 1_000).state));
    }),
  );
});

test('planning changes neither the state nor the batches', () => {
  fc.assert(
    fc.property(groups, batches, (history, batch) => {
      const before = statesOf(history).at(-1)!;
      const frozen = contentsOf(before);
      const given = JSON.stringify(batch, text);
      const first = commitAll(before, [batch], 1_000);
      expect(commitAll(before, [batch], 1_000).commit).toEqual(first.commit);
      expect(contentsOf(before)).toEqual(frozen);
      expect(JSON.stringify(batch, text)).toBe(given);
    }),
  );
});
