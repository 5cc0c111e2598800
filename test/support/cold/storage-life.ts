import type { Clock } from '../../../src/core/clock.js';
import { logOf } from '../../../src/model/identity.js';
import type { Execution, NewMessage } from '../../../src/model/records.js';
import type { ColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { createColdStorage } from '../../../src/storage/cold/cold-storage.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { everything, plain } from '../../contract/subject.js';
import { createRecordMaker } from '../records.js';
import { createFaultyObjectStore, type FaultyObjectStore } from '../s3/object-store-faults.js';

export const NAMESPACE = 'test';

/** A storage to follow, in which things happen on demand: the same ones for the same seed. */
export function createLife(seed: number, clock?: Clock) {
  const make = createRecordMaker(seed);
  const origin = createMemoryStorage({ name: 'origin', ...(clock ? { common: { clock } } : {}) });
  const lanes = [
    { sourceChainSelector: 1n, destChainSelector: 2n },
    { sourceChainSelector: 2n, destChainSelector: 1n },
    { sourceChainSelector: 1n, destChainSelector: 3n },
  ];
  const known: NewMessage[] = [];
  const executed: Execution[] = [];
  let height = 0n;
  const any = <T>(list: readonly T[]): T => list[Math.floor(make.random() * list.length)]!;

  async function step(): Promise<void> {
    const what = make.random();
    const message = known.length > 0 ? any(known) : undefined;
    if (what < 0.4 || !message) {
      const ccvs = [make.hex(20), make.hex(20)];
      const messages = Array.from({ length: 1 + Math.floor(make.random() * 5) }, () =>
        make.message({ ...any(lanes), ccvs }),
      );
      known.push(...messages);
      const expectedHeight = height === 0n ? null : height;
      height += 1n;
      await origin.insertBatch({
        messages,
        cursors: [{ sourceId: 'chain:1', height, hash: null, expectedHeight }],
      });
    } else if (what < 0.6)
      await origin.insertBatch({ verifierResults: [make.result(message, Math.floor(make.random() * 2))] });
    else if (what < 0.7) await execute(message);
    else if (what < 0.82)
      await origin.insertBatch({
        statuses: [{ messageId: message.messageId, status: make.random() < 0.5 ? 'success' : 'timeout' }],
      });
    else if (what < 0.9) {
      const stored = await origin.getMessage(message.messageId);
      if (stored.orphaned) await origin.insertBatch({ messages: [{ ...message, origin: make.origin(900n) }] });
      else
        await origin.insertBatch({
          orphanings: [{ messageId: message.messageId, blockHash: stored.origin!.blockHash }],
        });
    } else
      await origin.insertBatch({
        messages: [{ ...message, messageExecutorAddress: make.hex(20) }],
        quarantine: [
          { sourceId: 'chain:1', key: make.hex(8), reason: 'ABI', detail: '', raw: make.bytes(9), messageId: null },
        ],
      });
  }

  /** A message is executed, or the chain forgets an execution, or tells one of before again. */
  async function execute(message: NewMessage): Promise<void> {
    const execution = executed.length > 0 && make.random() < 0.5 ? any(executed) : make.execution(message);
    if (executed.includes(execution) && make.random() < 0.6)
      await origin.insertBatch({ executionOrphanings: [logOf(execution)] });
    else await origin.insertBatch({ executions: [execution] });
    executed.push(execution);
  }

  return {
    origin,
    make,
    known,
    async live(steps: number): Promise<void> {
      for (let i = 0; i < steps; i += 1) await step();
    },
  };
}

/** A storage that follows by `apply`, in pages, from where it stands. */
export async function follow(follower: ColdStorage, origin: Storage, pageSize = 1000): Promise<void> {
  await follower.ready();
  for (;;) {
    const set = await origin.changesAfter(follower.appliedPosition(), pageSize);
    await follower.apply(set);
    if (set.throughPosition >= set.headPosition) return;
  }
}

/** An archive that never flushes unless told to. */
export function openArchive(store: ObjectStore, name = 'cold', takeoverMs = 0) {
  return createColdStorage({ name, store, namespace: NAMESPACE, role: 'follower', takeoverMs });
}

/** Everything that is committed, as a storage of its own finds it. */
export async function committed(store: ObjectStore): Promise<unknown> {
  const reader = createColdStorage({ name: 'reader', store, namespace: NAMESPACE, role: 'leader' });
  try {
    return await allOf(reader);
  } finally {
    await reader.close();
  }
}

/** All answers, and all changes; every message also by its id. */
export async function allOf(storage: Storage): Promise<unknown> {
  const { changes, throughPosition, headMs, headMovePosition } = await storage.changesAfter(0n, 100_000);
  const ids = changes.flatMap((change) => (change.kind === 'message' ? [change.record.messageId] : []));
  const executed = changes.flatMap((change) => (change.kind === 'execution' ? [change.record.messageId] : []));
  const executions = await Promise.all(executed.map(async (id) => plain(await storage.getExecutions(id))));
  const chains = await Promise.all(
    [1n, 2n, 3n].map(async (dest) => plain(await storage.executionsAboveBlock(dest, 0n))),
  );
  const messagesById = await Promise.all(ids.map(async (id) => plain(await storage.getMessage(id))));
  return {
    ...((await everything(storage)) as object),
    messagesById,
    executions,
    chains,
    changes: plain(changes),
    throughPosition,
    headMs,
    headMovePosition,
  };
}

/** A store that can be cut off for good, as for a process that was killed. */
export function createMortalStore(store: ObjectStore): ObjectStore & { kill(): void } {
  let dead = false;
  const alive = async <T>(call: () => Promise<T>): Promise<T> => {
    if (dead) throw new ObjectStoreUnavailableError('the process was killed');
    return await call();
  };
  return {
    kill: () => {
      dead = true;
    },
    putIfAbsent: (key, bytes) => alive(() => store.putIfAbsent(key, bytes)),
    get: (key, range) => alive(() => store.get(key, range)),
    head: (key) => alive(() => store.head(key)),
    list: (prefix, options) => alive(() => store.list(prefix, options)),
    deleteMany: (keys) => alive(() => store.deleteMany(keys)),
    close: async () => undefined,
  };
}

/** A store whose process is killed before the first put of such a key: from then on no call reaches it. */
export function createDyingStore(store: ObjectStore, diesAt: (key: string) => boolean): FaultyObjectStore {
  const mortal = createMortalStore(store);
  const dying = createFaultyObjectStore(mortal);
  dying.failOn({
    operation: 'put',
    when: 'before',
    key: diesAt,
    error: () => {
      mortal.kill();
      throw new ObjectStoreUnavailableError('the process was killed');
    },
  });
  return dying;
}
