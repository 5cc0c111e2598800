import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCommon } from '../../src/core/common.js';
import { InvalidArgumentError } from '../../src/core/errors.js';
import { VERIFIER_RESULT_ROWS } from '../../src/storage/s3/cold-rows-verifier-results.js';
import { type Action, type AddFile, removeOf } from '../../src/storage/s3/delta-actions.js';
import { DeltaConflictError, DeltaFormatError, DeltaUnsupportedError } from '../../src/storage/s3/delta-errors.js';
import { createDeltaLog, type DeltaLogOptions, MIN_LOG_RETENTION_MS } from '../../src/storage/s3/delta-log.js';
import { checkpointName, commitName, dataFilePath, pathToUri } from '../../src/storage/s3/delta-paths.js';
import type { DeltaSnapshot } from '../../src/storage/s3/delta-snapshot.js';
import { stringifyStats } from '../../src/storage/s3/delta-stats.js';
import type { ObjectStore } from '../../src/storage/s3/object-store.js';
import { ObjectStoreUnavailableError } from '../../src/storage/s3/object-store-errors.js';
import { loadZstd } from '../../src/storage/s3/parquet-zstd.js';
import { createManualClock } from '../support/manual-clock.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../support/object-store.js';
import { createFaultyObjectStore } from '../support/object-store-faults.js';

const zstd = await loadZstd();
const COLUMNS = VERIFIER_RESULT_ROWS.columns;
const APP = 'ccv-indexer';
const INFO = { operation: 'WRITE' };
const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

let directory: TestDirectoryStore;
let tables = 0;

beforeAll(async () => {
  directory = await createTestDirectoryStore();
});
afterAll(async () => {
  await directory.remove();
});

/** A root that no other test uses. */
const newRoot = () => `ns/t${++tables}`;

function logOver(root: string, store: ObjectStore = directory.store, options: Partial<DeltaLogOptions> = {}) {
  return createDeltaLog({
    store,
    root,
    zstd,
    table: 'verifier_results',
    common: createCommon(),
    checkpointEvery: 10,
    ...options,
  });
}

function add(name: string, rows = 1): Action {
  const file: AddFile = {
    path: pathToUri(dataFilePath('2026-11-20', name)),
    partitionValues: { day: '2026-11-20' },
    size: 100,
    modificationTime: 1_795_000_000_000,
    dataChange: true,
    stats: stringifyStats({ numRecords: rows, minValues: {}, maxValues: {}, nullCount: {} }),
    tags: { rows: String(rows) },
  };
  return { add: file };
}

const txn = (version: number): Action => ({ txn: { appId: APP, version: BigInt(version), lastUpdated: null } });

/** What a snapshot says of the table. `dataChange` is of the commit, and a checkpoint forgets it. */
function contents({ version, protocol, metadata, files, tombstones, transactions }: DeltaSnapshot) {
  const plain = <T>(map: ReadonlyMap<string, T>) =>
    [...map].map(([key, value]) => [key, { ...value, dataChange: true }] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  return { version, protocol, metadata, files: plain(files), tombstones: plain(tombstones), txns: [...transactions] };
}

async function text(key: string): Promise<string> {
  return Buffer.from(await directory.store.get(key)).toString('utf8');
}

async function logNames(root: string): Promise<string[]> {
  const { objects } = await directory.store.list(`${root}/_delta_log/`);
  return objects.map(({ key }) => key.slice(`${root}/_delta_log/`.length));
}

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
    const store = createFaultyObjectStore(directory.store);
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

describe('a store that fails', () => {
  it('after a commit took effect does not undo it: the commit is known again', async () => {
    const root = newRoot();
    const store = createFaultyObjectStore(directory.store);
    const log = logOver(root, store);
    const snapshot = await log.open(COLUMNS);
    store.failOn({ operation: 'put', when: 'after' });
    const next = await log.commit(snapshot, [add('a'), txn(1)], INFO);
    expect(next.version).toBe(1);
    expect(contents((await logOver(root).read())!)).toEqual(contents(next));
  });

  it('and retries its own put by itself does not turn a commit into a conflict', async () => {
    const root = newRoot();
    const { store } = directory;
    const stubborn: ObjectStore = {
      ...bound(store),
      // the first try took effect, its answer was lost, the second one meets the first
      putIfAbsent: async (key, bytes) => {
        await store.putIfAbsent(key, bytes);
        return await store.putIfAbsent(key, bytes);
      },
    };
    const log = logOver(root, stubborn);
    const snapshot = await log.commit(await log.open(COLUMNS), [add('a')], INFO);
    expect(snapshot.version).toBe(1);
    await expect(logOver(root, stubborn).commit(await log.open(COLUMNS), [add('b')], INFO)).resolves.toBeDefined();
  });

  it('before a commit took effect leaves the table as it was, and the commit can be tried again', async () => {
    const root = newRoot();
    const store = createFaultyObjectStore(directory.store);
    const log = logOver(root, store);
    const snapshot = await log.open(COLUMNS);
    store.failOn({ operation: 'put', when: 'before' });
    await expect(log.commit(snapshot, [add('a')], INFO)).rejects.toThrow(ObjectStoreUnavailableError);
    expect((await logOver(root).read())!.version).toBe(0);
    expect((await log.commit(await log.refresh(snapshot), [add('a')], INFO)).version).toBe(1);
  });

  it('when it cannot even say whether, tells the caller, who finds the txn', async () => {
    const root = newRoot();
    const store = createFaultyObjectStore(directory.store);
    const log = logOver(root, store);
    const snapshot = await log.open(COLUMNS);
    store.failOn({ operation: 'put', when: 'after' });
    store.failOn({ operation: 'get', when: 'before' });
    await expect(log.commit(snapshot, [add('a'), txn(7)], INFO)).rejects.toThrow(ObjectStoreUnavailableError);
    expect((await log.refresh(snapshot)).transactions.get(APP)?.version).toBe(7n);
  });

  it('a put that arrives after its writer gave up loses to whoever committed since', async () => {
    const root = newRoot();
    const log = logOver(root);
    const snapshot = await log.open(COLUMNS);
    let late: () => Promise<unknown> = async () => undefined;
    const slow: ObjectStore = {
      ...bound(directory.store),
      putIfAbsent: async (key, bytes) => {
        late = () => directory.store.putIfAbsent(key, bytes);
        throw new ObjectStoreUnavailableError('no answer');
      },
    };
    await expect(logOver(root, slow).commit(snapshot, [add('late'), txn(1)], INFO)).rejects.toThrow(
      ObjectStoreUnavailableError,
    );
    const winner = await log.commit(snapshot, [add('winner'), txn(1)], INFO);
    expect(await late()).toBe('exists');
    expect(contents((await log.read())!)).toEqual(contents(winner));
  });

  it('at every request of a commit with a checkpoint leaves a table that reads the same', async () => {
    // the requests of a commit that writes a checkpoint, then the same commit cut at each of them
    const run = async (cut: number | null, when: 'before' | 'after') => {
      const root = newRoot();
      let snapshot = await logOver(root).open(COLUMNS);
      for (let version = 1; version < 10; version++)
        snapshot = await logOver(root).commit(snapshot, [add(`f${version}`)], INFO);
      let left = cut ?? Number.POSITIVE_INFINITY;
      let calls = 0;
      const cutting =
        (name: keyof ObjectStore) =>
        async (...args: never[]) => {
          calls += 1;
          if (left === 0) throw new ObjectStoreUnavailableError('the process is gone');
          left -= 1;
          const call = bound(directory.store)[name] as (...args: never[]) => Promise<unknown>;
          if (left === 0 && when === 'before') throw new ObjectStoreUnavailableError('cut');
          const result = await call(...args);
          if (left === 0) throw new ObjectStoreUnavailableError('cut');
          return result;
        };
      const store = Object.fromEntries(
        (['putIfAbsent', 'get', 'head', 'list', 'deleteMany', 'close'] as const).map((name) => [name, cutting(name)]),
      ) as unknown as ObjectStore;
      const committed = await logOver(root, store)
        .commit(snapshot, [add('f10'), txn(10)], INFO)
        .then(() => true)
        .catch(() => false);
      return { root, committed, calls };
    };
    const { calls } = await run(null, 'after');
    expect(calls).toBe(5);
    for (const when of ['before', 'after'] as const) {
      for (let cut = 1; cut <= calls; cut++) {
        const { root, committed } = await run(cut, when);
        const read = (await logOver(root).read())!;
        if (committed) expect(read.version).toBe(10);
        // after a restart: whatever was not done is done now
        const log = logOver(root);
        const done = read.version === 10 ? read : await log.commit(read, [add('f10'), txn(10)], INFO);
        expect(done.files.size).toBe(10);
        expect(done.transactions.get(APP)?.version).toBe(10n);
        let snapshot = done;
        for (let version = 11; version <= 20; version++)
          snapshot = await log.commit(snapshot, [add(`f${version}`)], INFO);
        const after = (await logOver(root).read())!;
        expect(contents(after)).toEqual(contents(snapshot));
        expect(after.checkpointVersion).toBe(20);
        expect(JSON.parse(await text(`${root}/_delta_log/_last_checkpoint`)).version).toBe(20);
      }
    }
  });

  it('while a checkpoint is due does not fail the commit; the next commit writes it', async () => {
    const root = newRoot();
    const store = createFaultyObjectStore(directory.store);
    const log = logOver(root, store);
    let snapshot = await log.open(COLUMNS);
    for (let version = 1; version < 10; version++) snapshot = await log.commit(snapshot, [add(`f${version}`)], INFO);
    store.failOn({ operation: 'put', when: 'before', key: (key) => key.endsWith('.checkpoint.parquet') });
    snapshot = await log.commit(snapshot, [add('f10')], INFO);
    expect(snapshot.checkpointVersion).toBe(-1);
    snapshot = await log.commit(snapshot, [add('f11')], INFO);
    expect(snapshot.checkpointVersion).toBe(11);
    expect(contents((await logOver(root).read())!)).toEqual(contents(snapshot));
  });
});

describe('a log that is not as it should be', () => {
  async function tableOf(versions: number): Promise<{ root: string; snapshot: DeltaSnapshot }> {
    const root = newRoot();
    const log = logOver(root);
    let snapshot = await log.open(COLUMNS);
    for (let version = 1; version <= versions; version++)
      snapshot = await log.commit(snapshot, [add(`f${version}`)], INFO);
    return { root, snapshot };
  }
  const replace = async (key: string, content: string) => {
    await directory.store.deleteMany([key]);
    await directory.store.putIfAbsent(key, Buffer.from(content));
  };

  it.each([
    ['missing', null],
    ['behind', '{"version":10,"size":1}'],
    ['ahead of everything', '{"version":4000,"size":1}'],
    ['half written', '{"version":'],
    ['of another shape', '[]'],
  ])('is read with a checkpoint pointer that is %s', async (_what, content) => {
    const { root, snapshot } = await tableOf(23);
    const key = `${root}/_delta_log/_last_checkpoint`;
    if (content === null) await directory.store.deleteMany([key]);
    else await replace(key, content);
    const read = (await logOver(root).read())!;
    expect(contents(read)).toEqual(contents(snapshot));
    expect(read.checkpointVersion).toBe(20);
  });

  it('is read past a damaged checkpoint, from the one before and from the commits', async () => {
    const { root, snapshot } = await tableOf(23);
    await replace(`${root}/_delta_log/${checkpointName(20)}`, 'PAR1 not really PAR1');
    expect(contents((await logOver(root).read())!)).toEqual(contents(snapshot));
    expect((await logOver(root).read())!.checkpointVersion).toBe(10);
    await replace(`${root}/_delta_log/${checkpointName(10)}`, '');
    expect(contents((await logOver(root).read())!)).toEqual(contents(snapshot));
  });

  it('is refused when a commit is missing or unreadable, never read in part', async () => {
    const { root } = await tableOf(5);
    await replace(`${root}/_delta_log/${commitName(3)}`, '{"add":{');
    await expect(logOver(root).read()).rejects.toThrow(DeltaFormatError);
    await directory.store.deleteMany([`${root}/_delta_log/${commitName(3)}`]);
    await expect(logOver(root).read()).rejects.toThrow(/commit 3 is missing/);
  });

  it('is refused for writing when the table has been upgraded, for reading when it must be', async () => {
    const { root, snapshot } = await tableOf(1);
    const upgrade = (reader: number, writer: number) =>
      `{"protocol":{"minReaderVersion":${reader},"minWriterVersion":${writer},"writerFeatures":["x"]}}\n`;
    await replace(`${root}/_delta_log/${commitName(2)}`, upgrade(1, 7));
    const upgraded = await logOver(root).refresh(snapshot);
    await expect(logOver(root).commit(upgraded, [add('x')], INFO)).rejects.toThrow(DeltaUnsupportedError);
    await replace(`${root}/_delta_log/${commitName(3)}`, upgrade(3, 7));
    await expect(logOver(root).refresh(upgraded)).rejects.toThrow(DeltaUnsupportedError);
  });
});

describe('old log entries', () => {
  it('are deleted before the checkpoint that stands for them, and the table reads the same', async () => {
    const root = newRoot();
    // the files are as old as this test; the log's clock is days ahead
    const clock = createManualClock(Date.now());
    const log = logOver(root, directory.store, { common: createCommon({ clock }) });
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
    const log = logOver(root, directory.store, { common: createCommon({ clock }) });
    let snapshot = await log.open(COLUMNS);
    for (let version = 1; version <= 25; version++) snapshot = await log.commit(snapshot, [add(`f${version}`)], INFO);
    const key = `${root}/_delta_log/${checkpointName(20)}`;
    const damaged = await directory.store.get(key);
    damaged[damaged.length >> 1]! ^= 1;
    await directory.store.deleteMany([key]);
    await directory.store.putIfAbsent(key, damaged);
    await clock.advance(2 * DAY_MS);
    // the one before it stands for less
    expect(await log.expire(MIN_LOG_RETENTION_MS)).toBe(10);
    expect(contents((await logOver(root).read())!)).toEqual(contents(snapshot));
  });

  it('are not missed by a reader that slept through their deletion', async () => {
    const root = newRoot();
    const clock = createManualClock(Date.now());
    const log = logOver(root, directory.store, { common: createCommon({ clock }) });
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
    const options = { common: createCommon({ clock }), checkpointEvery: 2, tombstoneRetentionMs: 3 * HOUR_MS };
    const log = logOver(root, directory.store, options);
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

/** The methods of a store as plain functions. */
function bound(store: ObjectStore): ObjectStore {
  return {
    putIfAbsent: (key, bytes) => store.putIfAbsent(key, bytes),
    get: (key, range) => store.get(key, range),
    head: (key) => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    deleteMany: (keys) => store.deleteMany(keys),
    close: () => store.close(),
  };
}
