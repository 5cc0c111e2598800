import { systemClock } from '../../../src/core/clock.js';
import { describeObjectStore } from '../../contract/object-store-contract.js';
import { createMemoryObjectStore, MemoryBucket } from './memory-object-store.js';

describeObjectStore('memory, for simulations', async () => {
  const bucket = new MemoryBucket();
  const [store, other] = [createMemoryObjectStore(bucket, systemClock), createMemoryObjectStore(bucket, systemClock)];
  return { store, other, remove: async () => await store.close() };
});
