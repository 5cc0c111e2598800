import { describe, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { AbortedError } from '../../../src/core/errors.js';
import { isEqualBucket } from '../../../src/migration/parity/buckets.js';
import { compareRecords, type ParityReport } from '../../../src/migration/parity/compare.js';
import type { Difference } from '../../../src/migration/parity/differences.js';
import type { Throttle } from '../../../src/migration/throttle.js';
import type { Change, ChangeSet } from '../../../src/model/batch.js';
import { changedRecord } from '../../../src/model/identity.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker, type RecordMaker } from '../../support/records.js';
import { liveEventfully } from '../../support/sink/eventful-life.js';

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed);
/** Of records that are damaged. */
const SHARES = [0, 0.005, 0.02, 0.1, 0.4];
const common = createCommon();
const open = (name: string) => createMemoryStorage({ name, maxStalenessMs: 60_000 });

/** One change less, or another than it was. */
interface Damage {
  readonly what: Difference['what'];
  readonly change: Change | null;
}

/** Another change in place of `change`, or none. */
function damaged(change: Change, make: RecordMaker): Damage {
  const pick = Math.floor(make.random() * 4);
  if (pick === 0) return { what: 'missing', change: null };
  return { what: 'different', change: altered(change, make, pick) };
}

function altered(change: Change, make: RecordMaker, pick: number): Change {
  switch (change.kind) {
    case 'message': {
      const { record } = change;
      if (pick === 1) return { ...change, record: { ...record, orphaned: !record.orphaned } };
      if (pick === 2) return { ...change, record: { ...record, ingestionMs: record.ingestionMs - 1 } };
      return { ...change, record: { ...record, origin: record.origin === null ? make.origin(1n) : null } };
    }
    case 'verifierResult': {
      const { record } = change;
      if (pick === 1) return { ...change, record: { ...record, ccvData: flipped(record.ccvData, make) } };
      if (pick === 2) return { ...change, record: { ...record, attestationMs: record.attestationMs + 1 } };
      const verdict = { verdict: 'unsupported', configBlock: 1n + (record.verdict?.configBlock ?? 0n) } as const;
      return { ...change, record: make.random() < 0.5 ? { ...record, verdict } : { ...record, verifierName: '.' } };
    }
    case 'execution': {
      const { record } = change;
      if (pick === 1) return { ...change, record: { ...record, orphaned: !record.orphaned } };
      if (pick === 2)
        return { ...change, record: { ...record, state: record.state === 'success' ? 'failure' : 'success' } };
      return { ...change, record: { ...record, place: { ...record.place, transactionHash: make.hex(32) } } };
    }
    case 'cursor':
      return { ...change, record: { ...change.record, height: change.record.height + 1n } };
    case 'quarantine':
      return { ...change, record: { ...change.record, raw: flipped(change.record.raw, make) } };
    case 'conflict':
      return { ...change, record: { ...change.record, storedHash: make.hex(32) } };
  }
}

function flipped(bytes: Uint8Array, make: RecordMaker): Uint8Array {
  const at = Math.floor(make.random() * bytes.length);
  return bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
}

/** A leader, a follower that took everything over but what was damaged, and the differences that this makes. */
async function damagedPair(seed: number, share: number) {
  const make = createRecordMaker(seed);
  const [leader, follower] = [open('leader'), open('follower')];
  await liveEventfully(leader, make, 12);
  const set = await leader.changesAfter(0n, 100_000);
  const expected = new Map<string, Difference['what']>();
  const changes: Change[] = [];
  for (const change of set.changes) {
    const damage = make.random() < share ? damaged(change, make) : null;
    if (damage) expected.set(changedRecord(change), damage.what);
    const kept = damage ? damage.change : change;
    if (kept) changes.push(kept);
  }
  await follower.apply({ ...set, changes });
  return { make, leader, follower, set, expected };
}

function sums(report: ParityReport) {
  return report.buckets.map(({ leader, follower }) => [leader.count, follower.count]);
}

function found({ differences }: ParityReport): Map<string, Difference['what']> {
  return new Map(differences.map(({ ref, what }) => [changedRecord(ref), what]));
}

describe('a comparison of two storages', () => {
  it.each(SEEDS)('finds every record that is damaged, and no other, in pages of any size: seed %i', async (seed) => {
    const { make, leader, follower, set, expected } = await damagedPair(seed, SHARES[seed % SHARES.length]!);
    const pageSize = 1 + Math.floor(make.random() * 40);
    const bucketMs = seed % 2 === 0 ? 1 : 3_600_000;
    const options = { leader: { storage: leader }, follower: { storage: follower }, common, pageSize, bucketMs };
    const report = await compareRecords(options);
    expect(found(report)).toEqual(expected);
    expect(report.records).toBe(set.changes.length);
    expect(report).toMatchObject({ afterPosition: 0n, throughPosition: set.headPosition, changedSince: 0 });
    const { missing, surplus, different } = report.differenceCounts;
    expect(missing + surplus + different).toBe(expected.size);
    // a bucket differs where a record does
    const hurt = new Set(
      report.differences.flatMap(({ leader: a, follower: b }) =>
        [a, b].flatMap((held) => (held ? [held.ingestionMs] : [])),
      ),
    );
    const bucketOf = (ms: number | null) => (ms === null ? null : Math.floor(ms / bucketMs) * bucketMs);
    const unequal = report.buckets.filter((bucket) => !isEqualBucket(bucket)).map(({ fromMs }) => fromMs);
    expect(new Set(unequal)).toEqual(new Set([...hurt].map(bucketOf)));
  });

  it('is the same in pieces: ended at any time, it is gone on with from its report', async () => {
    const { leader, follower, expected } = await damagedPair(7, 0.1);
    const options = { leader: { storage: leader }, follower: { storage: follower }, common, pageSize: 3, bucketMs: 1 };
    const whole = await compareRecords(options);
    let part: ParityReport | undefined;
    let pieces = 0;
    for (;;) {
      const stop = new AbortController();
      const ended = compareRecords({
        ...options,
        signal: stop.signal,
        ...(part && { continues: part }),
        onProgress: (progress) => {
          part = progress.report();
          stop.abort();
        },
      });
      const report = await ended.catch((thrown: unknown) => thrown);
      if (!(report instanceof AbortedError)) {
        expect(report).toEqual({ ...whole, parts: (report as ParityReport).parts });
        break;
      }
      pieces += 1;
    }
    expect(pieces).toBeGreaterThan(2);
    expect(found(whole)).toEqual(expected);
  });

  it('leaves out the records that change meanwhile, and finds what is wrong all the same', async () => {
    const make = createRecordMaker(11);
    const [leader, follower] = [open('leader'), open('follower')];
    const stored = await liveEventfully(leader, make, 20);
    const follow = async (alter: (set: ChangeSet) => ChangeSet = (set) => set) =>
      await follower.apply(alter(await leader.changesAfter(follower.coverage().throughPosition, 100_000)));
    const lost = stored[7]!.messageId;
    const isLost = ({ kind, record }: Change) => kind === 'message' && record.messageId === lost;
    await follow((set) => ({ ...set, changes: set.changes.filter((change) => !isLost(change)) }));
    const { throughPosition } = follower.coverage();
    const live = stored.filter((_, index) => index % 3 === 0 && index > 30);
    let next = 0;
    const report = await compareRecords({
      leader: { storage: leader },
      follower: { storage: follower },
      common,
      pageSize: 4,
      bucketMs: 1,
      // a return to the lists moves the message and its results behind the comparison
      onProgress: () => {
        const message = live[next++];
        if (!message) return;
        void leader.insertBatch({
          orphanings: [{ messageId: message.messageId, blockHash: message.origin!.blockHash }],
        });
        // the follower takes some of it over at once, the rest never
        if (next % 2 === 0) void follow();
      },
    });
    expect(next).toBeGreaterThan(5);
    expect(report.throughPosition).toBe(throughPosition);
    expect(report.changedSince).toBeGreaterThan(0);
    expect([...found(report)]).toEqual([[`message ${lost}`, 'missing']]);
    expect(report.buckets.filter((bucket) => !isEqualBucket(bucket))).toHaveLength(1);
  });

  it('ends where the side does that has less, and begins where both have something', async () => {
    const make = createRecordMaker(3);
    const [leader, follower] = [open('leader'), open('follower')];
    await liveEventfully(leader, make, 4);
    const boundary = await leader.boundaryAt({ position: 20n });
    follower.rebase(boundary);
    await follower.apply(await leader.changesAfter(boundary.position, 100_000));
    // changes of records below its window are passed over
    const { afterPosition, throughPosition: head } = follower.coverage();
    await liveEventfully(leader, make, 4);
    const report = await compareRecords({ leader: { storage: leader }, follower: { storage: follower }, common });
    expect(report).toMatchObject({ afterPosition, throughPosition: head, differences: [] });
    expect(report.parts.leader).toEqual([{ backend: 'leader', afterPosition, throughPosition: head }]);
    expect(sums(report).every(([mine, other]) => mine === other)).toBe(true);
  });

  it('waits while the follower has only a part of a burst', async () => {
    const [leader, follower] = [open('leader'), open('follower')];
    await liveEventfully(leader, createRecordMaker(8), 6);
    const part = await leader.changesAfter(0n, 20);
    const { throughPosition } = part;
    await follower.apply(part);
    await expect(follower.changesAfter(throughPosition)).rejects.toMatchObject({ code: 'COVERAGE_GAP' });
    const clock = createManualClock();
    const sides = { leader: { storage: leader }, follower: { storage: follower } };
    const compared = compareRecords({ ...sides, common: createCommon({ clock }) });
    await clock.advance(5_000);
    await follower.apply(await leader.changesAfter(throughPosition, 100_000));
    await clock.advance(5_000);
    const head = leader.coverage().throughPosition;
    expect(await compared).toMatchObject({ throughPosition: head, differences: [], changedSince: 0 });
  });

  it('takes each page of the leader from the throttle, and tells how long it took', async () => {
    const { leader, follower, set } = await damagedPair(2, 0);
    const taken: number[] = [];
    const answered: number[] = [];
    const throttle: Throttle = {
      take: async (rows) => void taken.push(rows),
      answered: (durationMs) => void answered.push(durationMs),
      brake: () => null,
    };
    const sides = { leader: { storage: leader }, follower: { storage: follower } };
    await compareRecords({ ...sides, common, throttle, pageSize: 10 });
    expect(taken).toEqual(Array(Math.ceil(set.changes.length / 10)).fill(10));
    expect(answered).toHaveLength(taken.length);
    const refused = { ...throttle, take: () => Promise.reject(new AbortedError('a page')) };
    const ended = compareRecords({ ...sides, common, throttle: refused });
    await expect(ended).rejects.toBeInstanceOf(AbortedError);
  });

  it('lists so many differences, and counts them all', async () => {
    const { leader, follower, expected } = await damagedPair(5, 0.5);
    const options = { leader: { storage: leader }, follower: { storage: follower }, common, listed: 3 };
    const { differences, differenceCounts } = await compareRecords(options);
    expect(differences).toHaveLength(3);
    expect(Object.values(differenceCounts).reduce((sum, count) => sum + count)).toBe(expected.size);
  });
});
