import { afterAll, beforeAll, expect } from 'vitest';
import type { ObjectStore } from '../../src/storage/cold/object-store/object-store.js';
import { databasesInTurn } from '../support/postgres/emptied-database.js';
import { createTestDirectoryStore, s3StoreOn } from '../support/s3/object-store.js';
import { s3BucketFixture } from '../support/s3/server-fixture.js';
import { openThreeTiers, settled, type ThreeTiers, type TierOrder, TierTally } from '../support/sink/three-tiers.js';
import { storageContract } from './storage-contract.js';
import type { ContractSubject } from './subject.js';

const ORDERS: readonly TierOrder[] = [
  ['hot', 'warm', 'cold'],
  ['cold', 'hot', 'warm'],
];

const databases = databasesInTurn();
const tally = new TierTally();

/** `remove`: what they stood on. */
function subjectOver(tiers: ThreeTiers, remove: () => Promise<void>): ContractSubject {
  const storage = settled(tiers);
  return {
    storage,
    close: async () => {
      await tally.add(tiers);
      await storage.close();
      await remove();
    },
  };
}

// nearly everything is answered by the cold tier, put right by what the database still knows
for (const order of ORDERS)
  storageContract(`Sink of memory, a pruned Postgres and a directory, read ${order.join(', ')}`, async () => {
    const [database, { store, remove }] = await Promise.all([databases.take(), createTestDirectoryStore()]);
    const tiers = await openThreeTiers({ database, store, namespace: 'test', order });
    return subjectOver(tiers, async () => {
      database.giveBack();
      await remove();
    });
  });

const s3 = s3BucketFixture();
let namespaces = 0;
// for all tests: each test has a namespace of its own
let store: ObjectStore;

beforeAll(() => {
  store = s3StoreOn(s3.server, { bucket: s3.bucket });
});
afterAll(async () => await store.close());

afterAll(() => {
  console.log('tiers in all cases', { ...tally });
  expect(tally.pruned).toBeGreaterThan(100);
  expect(tally.coldQueries).toBeGreaterThan(100);
});

storageContract('Sink of memory, a pruned Postgres and a real S3 server', async () => {
  const database = await databases.take();
  namespaces += 1;
  const order: TierOrder = ['hot', 'warm', 'cold'];
  // each look at the logs is three requests
  const cold = { refreshIntervalMs: 300, flushIntervalMs: 100 };
  const tiers = await openThreeTiers({ database, store, namespace: `test-${namespaces}`, order, cold });
  return subjectOver(tiers, async () => database.giveBack());
});
