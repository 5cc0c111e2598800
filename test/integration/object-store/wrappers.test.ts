import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { createDirectoryObjectStore } from '../../../src/storage/cold/object-store/directory/directory-store.js';
import { ObjectStoreUnavailableError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import { describeObjectStore } from '../../contract/object-store-contract.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';
import { createFaultyObjectStore } from '../../support/s3/object-store-faults.js';
import { createCountingObjectStore } from '../../support/s3/request-counting.js';

describeObjectStore('directory, counted, with faults that never come', async () => {
  const { store, directory, remove } = await createTestDirectoryStore();
  const other = createDirectoryObjectStore({ directory, common: createCommon() });
  return { store: createFaultyObjectStore(createCountingObjectStore(store)), other, remove };
});

describe('wrappers of object stores', () => {
  let subject: TestDirectoryStore;
  beforeEach(async () => {
    subject = await createTestDirectoryStore();
  });
  afterEach(async () => {
    await subject.remove();
  });

  it('count requests and bytes by operation, failed ones too', async () => {
    const store = createCountingObjectStore(subject.store);
    await store.putIfAbsent('a', Buffer.alloc(100));
    await store.get('a');
    await store.get('a', { start: 10, endExclusive: 30 });
    await store.get('none').catch(() => undefined);
    await store.list('');
    await store.head('a');
    await store.deleteMany(Array.from({ length: 1001 }, (_, index) => `x${index}`));
    const before = store.counts();
    expect(before).toEqual({
      put: { requests: 1, bytes: 100 },
      get: { requests: 3, bytes: 120 },
      head: { requests: 1, bytes: 0 },
      list: { requests: 1, bytes: 0 },
      delete: { requests: 2, bytes: 0 },
    });
    expect(store.total()).toEqual({ requests: 8, bytes: 220 });
    store.reset();
    expect(store.total()).toEqual({ requests: 0, bytes: 0 });
    expect(before.put.requests).toBe(1);
  });

  it('fail before or after the effect of the call they were told of', async () => {
    const store = createFaultyObjectStore(subject.store);
    store.failOn({ operation: 'put', nth: 2, when: 'before' });
    store.failOn({ operation: 'put', nth: 3, when: 'after' });
    expect(await store.putIfAbsent('1', Buffer.from('x'))).toBe('created');
    await expect(store.putIfAbsent('2', Buffer.from('x'))).rejects.toBeInstanceOf(ObjectStoreUnavailableError);
    await expect(store.putIfAbsent('3', Buffer.from('x'))).rejects.toBeInstanceOf(ObjectStoreUnavailableError);
    expect(await store.putIfAbsent('4', Buffer.from('x'))).toBe('created');
    expect((await store.list('')).objects.map(({ key }) => key)).toEqual(['1', '3', '4']);
    store.failOn({ operation: 'get', when: 'before', key: (key) => key === '3', error: new Error('mine') });
    await store.get('1');
    await expect(store.get('3')).rejects.toThrow('mine');
    store.failOn({ operation: 'delete', when: 'after' });
    store.heal();
    await store.deleteMany(['1']);
    expect(store.calls.map(({ operation, key }) => `${operation} ${key}`)).toEqual([
      'put 1',
      'put 2',
      'put 3',
      'put 4',
      'list ',
      'get 1',
      'get 3',
      'delete 1',
    ]);
  });
});
