import { describe, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { InvalidArgumentError } from '../../../src/core/errors.js';
import { removeOf } from '../../../src/storage/cold/delta/actions.js';
import { DeltaConflictError } from '../../../src/storage/cold/delta/delta-errors.js';
import { MIN_LOG_RETENTION_MS } from '../../../src/storage/cold/delta/delta-log.js';
import { checkpointName, commitName, dataFilePath, pathToUri } from '../../../src/storage/cold/delta/paths.js';
import { APP, add, COLUMNS, contents, deltaFixture, INFO, txn } from '../../support/cold/delta-fixture.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createFaultyObjectStore } from '../../support/s3/object-store-faults.js';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const delta = await deltaFixture();
const { logNames, logOver, newRoot, text } = delta;

describe('a Delta table', () => {
  it('is not there before it is created, and is created once by any number of openers', async () => {
    const root = newRoot();
    expect(await logOver(root).read()).toBeNull();
    const opened = await Promise.all(Array.from({ length: 8 }, () => logOver(root).open(COLUMNS)));
    expect(new Set(opened.map((snapshot) => snapshot.metadata.id)).size).toBe(1);
    expect(opened.map(({ version }) => version)).toEqual(Array(8).fill(0));
    expect(await logNames(root)).toEqual([commitName(0)]);
  });

  it('a reader from scratch, one that follows, and the writer itself see the same after every commit', async () => {
    const root = newRoot();
    const log = logOver(root);
    let written = await log.open(COLUMNS);
    let followed = await logOver(root).open(COLUMNS);
    for (let version = 1; version <= 34; version++) {
      const actions = [add(`f${version}`, version), txn(version)];
      const oldest = [...written.files.values()][0];
      if (version % 4 === 0 && oldest) actions.push(removeOf(oldest, Date.now(), false));
      written = await log.commit(written, actions, INFO);
      if (version % 3 === 0) followed = await logOver(root).refresh(followed);
      const read = await logOver(root).read();
      expect(contents(read!)).toEqual(contents(written));
      expect(read!.checkpointVersion).toBe(version < 10 ? -1 : Math.floor(version / 10) * 10);
    }
    expect(contents(await log.refresh(followed))).toEqual(contents(written));
    expect(JSON.parse(await text(`${root}/_delta_log/_last_checkpoint`))).toMatchObject({
      version: 30,
      size: 33,
      numOfAddFiles: 23,
    });
    expect(await logNames(root)).toHaveLength(35 + 3 + 1);
  });

  it('a snapshot never changes', async () => {
    const log = logOver(newRoot());
    const first = await log.commit(await log.open(COLUMNS), [add('a')], INFO);
    const before = contents(first);
    const second = await log.commit(first, [removeOf([...first.files.values()][0]!, 5, true), add('b')], INFO);
    expect(contents(first)).toEqual(before);
    expect([...second.files.keys()]).toEqual(['day=2026-11-20/part-b.zstd.parquet']);
  });

  it('that stands still costs one request to refresh, one that moved by many costs few rounds', async () => {
    const root = newRoot();
    const store = createFaultyObjectStore(delta.store);
    const log = logOver(root, store);
    const old = await log.open(COLUMNS);
    let snapshot = old;
    for (let version = 1; version <= 9; version++) snapshot = await log.commit(snapshot, [add(`f${version}`)], INFO);
    const before = store.calls.length;
    expect(contents(await log.refresh(snapshot))).toEqual(contents(snapshot));
    expect(store.calls.length - before).toBe(1);
    expect(contents(await log.refresh(old))).toEqual(contents(snapshot));
  });

  it('refuses actions that contradict each other or the table', async () => {
    const log = logOver(newRoot());
    const snapshot = await log.commit(await log.open(COLUMNS), [add('a')], INFO);
    const [file] = snapshot.files.values();
    const elsewhere = { ...file!, path: 'elsewhere' };
    for (const actions of [
      [add('b'), add('b')],
      [txn(1), txn(2)],
      [add('a')],
      [removeOf(elsewhere, 1, true)],
      [add('c'), removeOf({ ...file!, path: pathToUri(dataFilePath('2026-11-20', 'c')) }, 1, true)],
    ])
      await expect(log.commit(snapshot, actions, INFO)).rejects.toThrow(InvalidArgumentError);
    expect((await log.read())!.version).toBe(1);
  });
});

describe('writers that race', () => {
  it('one wins a version, the others learn which and lose nothing of the table', async () => {
    const root = newRoot();
    const snapshot = await logOver(root).open(COLUMNS);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, writer) => logOver(root).commit(snapshot, [add(`w${writer}`)], INFO)),
    );
    const lost = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(lost).toHaveLength(7);
    for (const error of lost)
      expect(error).toMatchObject({ constructor: DeltaConflictError, version: 1, retryable: true });
    expect((await logOver(root).read())!.files.size).toBe(1);
  });

  it('retrying, they add every file once, over checkpoints, and agree on the table', async () => {
    const root = newRoot();
    const [writers, each] = [4, 15];
    await logOver(root).open(COLUMNS);
    const last = await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        const log = logOver(root);
        let snapshot = await log.open(COLUMNS);
        for (let count = 0; count < each; ) {
          try {
            snapshot = await log.commit(snapshot, [add(`w${writer}-${count}`)], INFO);
            count += 1;
          } catch (thrown) {
            if (!(thrown instanceof DeltaConflictError)) throw thrown;
            snapshot = await log.refresh(snapshot);
          }
        }
        return snapshot;
      }),
    );
    const read = await logOver(root).read();
    expect(read!.version).toBe(writers * each);
    expect(read!.files.size).toBe(writers * each);
    for (const snapshot of last) expect(contents(await logOver(root).refresh(snapshot))).toEqual(contents(read!));
  });

  it('followers of one stream write each position once: who is late sees the txn and drops its file', async () => {
    const root = newRoot();
    await logOver(root).open(COLUMNS);
    // two processes flush the same positions, 10 at a time
    const flush = async () => {
      const log = logOver(root);
      let snapshot = await log.open(COLUMNS);
      for (let through = 10; through <= 200; ) {
        const standsAt = Number(snapshot.transactions.get(APP)?.version ?? 0n);
        if (standsAt >= through) {
          through += 10;
          continue;
        }
        try {
          snapshot = await log.commit(snapshot, [add(`p${through}-${Math.random()}`, 10), txn(through)], INFO);
        } catch (thrown) {
          if (!(thrown instanceof DeltaConflictError)) throw thrown;
          snapshot = await log.refresh(snapshot);
        }
      }
    };
    await Promise.all([flush(), flush(), flush()]);
    const { files, transactions } = (await logOver(root).read())!;
    const positions = [...files.keys()].map((path) => Number(/part-p(\d+)/.exec(path)?.[1])).sort((a, b) => a - b);
    expect(positions).toEqual(Array.from({ length: 20 }, (_, index) => (index + 1) * 10));
    expect(transactions.get(APP)?.version).toBe(200n);
  });
});

describe('old log entries', () => {
  it('are deleted before the checkpoint that stands for them, and the table reads the same', async () => {
    const root = newRoot();
    // the files are as old as this test; the log's clock is days ahead
    const clock = createManualClock(Date.now());
    const log = logOver(root, delta.store, { common: createCommon({ clock }) });
    let snapshot = await log.open(COLUMNS);
    for (let version = 1; version <= 25; version++) snapshot = await log.commit(snapshot, [add(`f${version}`)], INFO);
    expect(await log.expire(MIN_LOG_RETENTION_MS)).toBe(0);
    await clock.advance(2 * DAY_MS);
    expect(await log.expire(MIN_LOG_RETENTION_MS)).toBe(20 + 1);
    expect((await logNames(root))[0]).toBe(checkpointName(20));
    expect(await logNames(root)).toContain(commitName(20));
    expect(contents((await logOver(root).read())!)).toEqual(contents(snapshot));
    expect(await log.expire(MIN_LOG_RETENTION_MS)).toBe(0);
    await expect(log.expire(MIN_LOG_RETENTION_MS - 1)).rejects.toThrow(InvalidArgumentError);
  });

  it('are kept while the checkpoint that would stand for them cannot be read', async () => {
    const root = newRoot();
    const clock = createManualClock(Date.now());
    const log = logOver(root, delta.store, { common: createCommon({ clock }) });
    let snapshot = await log.open(COLUMNS);
    for (let version = 1; version <= 25; version++) snapshot = await log.commit(snapshot, [add(`f${version}`)], INFO);
    const key = `${root}/_delta_log/${checkpointName(20)}`;
    const damaged = await delta.store.get(key);
    damaged[damaged.length >> 1]! ^= 1;
    await delta.store.deleteMany([key]);
    await delta.store.putIfAbsent(key, damaged);
    await clock.advance(2 * DAY_MS);
    // the one before it stands for less
    expect(await log.expire(MIN_LOG_RETENTION_MS)).toBe(10);
    expect(contents((await logOver(root).read())!)).toEqual(contents(snapshot));
  });

  it('are not missed by a reader that slept through their deletion', async () => {
    const root = newRoot();
    const clock = createManualClock(Date.now());
    const log = logOver(root, delta.store, { common: createCommon({ clock }) });
    const asleep = await log.open(COLUMNS);
    let snapshot = asleep;
    for (let version = 1; version <= 25; version++) snapshot = await log.commit(snapshot, [add(`f${version}`)], INFO);
    await clock.advance(2 * DAY_MS);
    await log.expire(MIN_LOG_RETENTION_MS);
    expect(contents(await log.refresh(asleep))).toEqual(contents(snapshot));
  });

  it('tombstones stay in checkpoints until nobody can hold the file', async () => {
    const root = newRoot();
    const clock = createManualClock();
    const keptMs = { files: 3 * HOUR_MS, log: 24 * HOUR_MS };
    const options = { common: createCommon({ clock }), checkpointEvery: 2, tombstoneRetentionMs: 3 * HOUR_MS, keptMs };
    const log = logOver(root, delta.store, options);
    let snapshot = await log.commit(await log.open(COLUMNS), [add('a')], INFO);
    snapshot = await log.commit(snapshot, [removeOf([...snapshot.files.values()][0]!, clock.nowMs(), false)], INFO);
    expect((await logOver(root).read())!.tombstones.size).toBe(1);
    expect(snapshot.metadata.configuration['delta.deletedFileRetentionDuration']).toBe('interval 3 hours');
    await clock.advance(3 * HOUR_MS);
    snapshot = await log.commit(snapshot, [add('b')], INFO);
    await log.commit(snapshot, [add('c')], INFO);
    expect((await logOver(root).read())!.tombstones.size).toBe(0);
  });
});
