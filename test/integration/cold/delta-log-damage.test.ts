import { describe, expect, it } from 'vitest';
import { encodeCommit } from '../../../src/storage/cold/delta/commit-json.js';
import { DeltaFormatError, DeltaUnsupportedError } from '../../../src/storage/cold/delta/delta-errors.js';
import { checkpointName, commitName } from '../../../src/storage/cold/delta/paths.js';
import type { DeltaSnapshot } from '../../../src/storage/cold/delta/snapshot.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import { APP, add, COLUMNS, contents, deltaFixture, INFO, txn } from '../../support/cold/delta-fixture.js';
import { createFaultyObjectStore } from '../../support/s3/object-store-faults.js';

const delta = await deltaFixture();
const { logOver, newRoot, text } = delta;

describe('a store that fails', () => {
  it('after a commit took effect does not undo it: the commit is known again', async () => {
    const root = newRoot();
    const store = createFaultyObjectStore(delta.store);
    const log = logOver(root, store);
    const snapshot = await log.open(COLUMNS);
    store.failOn({ operation: 'put', when: 'after' });
    const next = await log.commit(snapshot, [add('a'), txn(1)], INFO);
    expect(next.version).toBe(1);
    expect(contents((await logOver(root).read())!)).toEqual(contents(next));
  });

  it('and retries its own put by itself does not turn a commit into a conflict', async () => {
    const root = newRoot();
    const { store } = delta;
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
    const store = createFaultyObjectStore(delta.store);
    const log = logOver(root, store);
    const snapshot = await log.open(COLUMNS);
    store.failOn({ operation: 'put', when: 'before' });
    await expect(log.commit(snapshot, [add('a')], INFO)).rejects.toThrow(ObjectStoreUnavailableError);
    expect((await logOver(root).read())!.version).toBe(0);
    expect((await log.commit(await log.refresh(snapshot), [add('a')], INFO)).version).toBe(1);
  });

  it('when it cannot even say whether, tells the caller, who finds the txn', async () => {
    const root = newRoot();
    const store = createFaultyObjectStore(delta.store);
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
      ...bound(delta.store),
      putIfAbsent: async (key, bytes) => {
        late = () => delta.store.putIfAbsent(key, bytes);
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
          const call = bound(delta.store)[name] as (...args: never[]) => Promise<unknown>;
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
    expect(calls).toBe(6);
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
    const store = createFaultyObjectStore(delta.store);
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
    await delta.store.deleteMany([key]);
    await delta.store.putIfAbsent(key, Buffer.from(content));
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
    if (content === null) await delta.store.deleteMany([key]);
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
    await delta.store.deleteMany([`${root}/_delta_log/${commitName(3)}`]);
    await expect(logOver(root).read()).rejects.toThrow(/commit 3 is missing/);
  });

  it('is refused for writing when the table has been upgraded, for reading when it must be', async () => {
    const { root, snapshot } = await tableOf(1);
    // as a later version of ours would
    const upgrade = (minReaderVersion: number, minWriterVersion: number) => {
      const protocol = { minReaderVersion, minWriterVersion, writerFeatures: ['x'] };
      return Buffer.from(encodeCommit([{ protocol }], INFO, { txnId: 'x', timestamp: 1 })).toString('utf8');
    };
    await replace(`${root}/_delta_log/${commitName(2)}`, upgrade(1, 7));
    const upgraded = await logOver(root).refresh(snapshot);
    await expect(logOver(root).commit(upgraded, [add('x')], INFO)).rejects.toThrow(DeltaUnsupportedError);
    await replace(`${root}/_delta_log/${commitName(3)}`, upgrade(3, 7));
    await expect(logOver(root).refresh(upgraded)).rejects.toThrow(DeltaUnsupportedError);
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
