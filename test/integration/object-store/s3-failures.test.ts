import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { ClosedError } from '../../../src/core/errors.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import {
  ObjectDeleteError,
  ObjectNotFoundError,
  ObjectRangeError,
  ObjectStoreError,
  ObjectStoreUnavailableError,
} from '../../../src/storage/cold/object-store/object-store-errors.js';
import type { S3ObjectStore, S3ObjectStoreOptions } from '../../../src/storage/cold/object-store/s3/s3-store.js';
import { s3StoreOn } from '../../support/s3/object-store.js';
import { newBucketName, type S3TestServer } from '../../support/s3/server.js';
import { sharedS3Server } from '../../support/s3/server-fixture.js';
import { type S3Proxy, startS3Proxy } from '../../support/s3/server-proxy.js';
import { createStoppedClock } from '../../support/stopped-clock.js';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const answer = (status: number, code: string) =>
  ({ kind: 'answer', status, body: `<Error><Code>${code}</Code><Message>no</Message></Error>` }) as const;

describe('an S3 store behind a network that fails', () => {
  let server: S3TestServer;
  let proxy: S3Proxy;
  let bucket: string;
  /** Not through the proxy: what another process sees. */
  let direct: S3ObjectStore;
  const opened: S3ObjectStore[] = [];

  const open = (options: Partial<S3ObjectStoreOptions> = {}) => {
    const store = s3StoreOn(server, { endpoint: proxy.endpoint, bucket, requestTimeoutMs: 5000, ...options });
    opened.push(store);
    return store;
  };

  beforeAll(async () => {
    server = await sharedS3Server();
  });
  beforeEach(async () => {
    proxy = await startS3Proxy(server);
    bucket = newBucketName();
    direct = open({ endpoint: server.endpoint });
    await direct.ensureBucket();
    await direct.putIfAbsent('object', Buffer.from('0123456789'));
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    await proxy.stop();
  });

  describe('that cannot be reached', () => {
    it('is unavailable when connections are refused', async () => {
      await proxy.stop();
      const calls: readonly ((store: ObjectStore) => Promise<unknown>)[] = [
        (store) => store.get('object'),
        (store) => store.head('object'),
        (store) => store.list(''),
        (store) => store.deleteMany(['object']),
        (store) => store.putIfAbsent('new', Buffer.from('x')),
      ];
      for (const call of calls) {
        const failure = await failureOf(call(open({ maxAttempts: 3 })));
        expect(failure).toBeInstanceOf(ObjectStoreUnavailableError);
        expect(failure).toMatchObject({ retryable: true, details: { kind: 'connection', attempts: 3 } });
      }
      proxy = await startS3Proxy(server);
    });

    it('is left alone after some attempts, and asked again when that may have ended', async () => {
      proxy.always({ kind: 'hang' });
      const clock = createStoppedClock();
      const store = open({ maxAttempts: 4, requestTimeoutMs: 300, common: createCommon({ clock }) });
      expect(await failureOf(store.list(''))).toMatchObject({ details: { kind: 'timeout', attempts: 4 } });
      const asked = proxy.seen.length;
      const failure = await failureOf(store.list(''));
      expect(failure).toBeInstanceOf(ObjectStoreUnavailableError);
      expect(failure).toMatchObject({ retryable: true, message: expect.stringContaining('left alone') });
      expect(proxy.seen).toHaveLength(asked);
      proxy.always({ kind: 'pass' });
      clock.advance(10_000);
      await expect.poll(async () => (await store.list('')).objects).toHaveLength(1);
    });

    it('is unavailable once every request has met its deadline without an answer', async () => {
      proxy.always({ kind: 'hang' });
      const store = open({ requestTimeoutMs: 100, maxAttempts: 2 });
      const failure = await failureOf(store.putIfAbsent('new', Buffer.from('x')));
      expect(failure).toBeInstanceOf(ObjectStoreUnavailableError);
      expect(failure).toMatchObject({ details: { kind: 'timeout', attempts: 2 } });
      expect(proxy.seen).toHaveLength(2);
      await expect.poll(() => proxy.seen.every((request) => request.abandoned)).toBe(true);
    });

    it('meets the deadline also when the body of an answer stops', async () => {
      proxy.always({ kind: 'stall', afterBytes: 4 });
      const store = open({ requestTimeoutMs: 150, maxAttempts: 1 });
      expect(await failureOf(store.get('object'))).toMatchObject({ details: { kind: 'timeout' } });
    });

    it('works again when the gateway is back', async () => {
      const store = open({ endpoint: server.endpoint, maxAttempts: 1 });
      expect(text(await store.get('object'))).toBe('0123456789');
      await server.stopGateway();
      try {
        expect(await failureOf(store.get('object'))).toBeInstanceOf(ObjectStoreUnavailableError);
      } finally {
        await server.startGateway();
      }
      expect(text(await store.get('object'))).toBe('0123456789');
    });
  });

  describe('that asks to slow down or stumbles', () => {
    it.each([
      answer(503, 'SlowDown'),
      answer(503, 'ServiceUnavailable'),
      answer(500, 'InternalError'),
      answer(502, ''),
      answer(429, 'TooManyRequests'),
      answer(400, 'RequestTimeout'),
      answer(403, 'RequestTimeTooSkewed'),
    ])('asks again after $status $body', async (failure) => {
      const store = open();
      proxy.next(failure, failure);
      expect(text(await store.get('object'))).toBe('0123456789');
      proxy.next(failure);
      expect(await store.putIfAbsent('new', Buffer.from('x'))).toBe('created');
      expect(proxy.seen.filter(({ method }) => method === 'GET')).toHaveLength(3);
      expect(proxy.seen.filter(({ method }) => method === 'PUT')).toHaveLength(2);
    });

    it('sends again at once what met a connection that the server had closed, and does not hold it against the server', async () => {
      const store = open({ maxAttempts: 1 });
      const atOnce = Array.from({ length: 8 }, () => 'object');
      await Promise.all(atOnce.map((key) => store.get(key)));
      proxy.always({ kind: 'reset-kept' });
      const texts = await Promise.all(atOnce.map(async (key) => text(await store.get(key))));
      expect(texts).toEqual(atOnce.map(() => '0123456789'));
      expect(proxy.seen.filter(({ method }) => method === 'GET').length).toBeGreaterThanOrEqual(16 + 8);
      // the write met one of those that were opened just now
      expect(await store.putIfAbsent('new', Buffer.from('x'))).toBe('created');
      expect(proxy.seen.filter(({ method }) => method === 'PUT').length).toBeGreaterThan(1);
    });

    it('gives up after maxAttempts and names what was said', async () => {
      proxy.always(answer(503, 'SlowDown'));
      const failure = await failureOf(open({ maxAttempts: 3 }).list(''));
      expect(failure).toBeInstanceOf(ObjectStoreUnavailableError);
      expect(failure).toMatchObject({ details: { kind: 'throttled', name: 'SlowDown', status: 503, attempts: 3 } });
      expect(proxy.seen).toHaveLength(3);
    });

    it('asks again when the connection is cut, before or within the answer', async () => {
      const store = open();
      proxy.next({ kind: 'lose-answer' }, { kind: 'cut', afterBytes: 0 }, { kind: 'cut', afterBytes: 7 });
      expect(text(await store.get('object'))).toBe('0123456789');
      proxy.next({ kind: 'cut', afterBytes: 60 });
      expect((await store.list('')).objects).toHaveLength(1);
      proxy.next({ kind: 'lose-answer' });
      await store.deleteMany(['object']);
      await expect(direct.get('object')).rejects.toBeInstanceOf(ObjectNotFoundError);
    });
  });

  describe('that answers something else', () => {
    const range = { start: 2, endExclusive: 6 };
    it.each([
      ['the whole object for a range', { kind: 'change', status: 200, dropHeaders: ['content-range'] }],
      ['another range', { kind: 'change', headers: { 'content-range': 'bytes 0-3/10' } }],
      ['a range without saying which', { kind: 'change', dropHeaders: ['content-range'] }],
      ['fewer bytes than the range has', { kind: 'change', dropBytes: 1 }],
      ['a page of something else', { kind: 'answer', status: 200, body: 'hello' }],
    ] as const)('does not take %s', async (_, action) => {
      const store = open({ maxAttempts: 2 });
      proxy.next(action);
      expect(text(await store.get('object', range))).toBe('2345');
      proxy.always(action);
      const failure = await failureOf(store.get('object', range));
      expect(failure).toBeInstanceOf(ObjectStoreUnavailableError);
      expect(failure).toMatchObject({ details: { kind: 'wrong_answer', attempts: 2 } });
    });

    it('frees the connection of an answer that it does not take', async () => {
      const store = open({ maxConnections: 1, maxAttempts: 2 });
      proxy.next({ kind: 'change', headers: { 'content-range': 'bytes 0-3/10' } });
      expect(text(await store.get('object', range))).toBe('2345');
    });

    it('tells the end of the object from a wrong answer', async () => {
      await expect(open().get('object', { start: 2, endExclusive: 11 })).rejects.toBeInstanceOf(ObjectRangeError);
      expect(proxy.seen).toHaveLength(1);
    });

    it('does not take a listing that is none', async () => {
      const store = open({ maxAttempts: 2 });
      proxy.always({ kind: 'answer', status: 200, body: '<html>maintenance</html' });
      expect(await failureOf(store.list(''))).toBeInstanceOf(ObjectStoreUnavailableError);
    });
  });

  describe('that is slow', () => {
    it('reads once more beside a request that is not answered, and gives the first up', async () => {
      const common = createCommon();
      const store = open({ hedgeAfterMs: 50, common });
      for (const read of [
        async () => text(await store.get('object')),
        async () => text(await store.get('object', { start: 0, endExclusive: 10 })),
        async () => (await store.list('')).objects.map(({ key }) => key).join(),
        async () => String((await store.head('object')).sizeBytes),
      ]) {
        const first = proxy.seen.length;
        proxy.next({ kind: 'hang' });
        expect(['0123456789', 'object', '10']).toContain(await read());
        expect(proxy.seen.length - first).toBe(2);
        await expect.poll(() => proxy.seen[first]!.abandoned).toBe(true);
      }
      const metrics = await common.metrics.metrics();
      expect(metrics).toContain('indexer_object_store_hedged_requests_total{store="s3"} 4');
      expect(metrics).toContain('indexer_object_store_requests_total{store="s3",operation="get",result="aborted"} 2');
      expect(metrics).toContain('indexer_object_store_requests_total{store="s3",operation="get",result="ok"} 2');
    });

    it('reads once more when the body stops coming', async () => {
      const store = open({ hedgeAfterMs: 50 });
      proxy.next({ kind: 'stall', afterBytes: 5 });
      expect(text(await store.get('object'))).toBe('0123456789');
      expect(proxy.seen).toHaveLength(2);
    });

    it('takes "not found" from either', async () => {
      const store = open({ hedgeAfterMs: 50 });
      proxy.next({ kind: 'hang' });
      await expect(store.get('none')).rejects.toBeInstanceOf(ObjectNotFoundError);
      expect(proxy.seen).toHaveLength(2);
    });

    it('waits for the first when the second fails', async () => {
      const store = open({ hedgeAfterMs: 20, maxAttempts: 1, requestTimeoutMs: 300 });
      proxy.next({ kind: 'hang' }, answer(500, 'InternalError'));
      // told is what failed first, once the first request has met its deadline too
      expect(await failureOf(store.get('object'))).toMatchObject({ details: { kind: 'server_error' } });
      await expect.poll(() => proxy.seen[0]!.abandoned).toBe(true);
      expect(text(await store.get('object'))).toBe('0123456789');
    });

    it('sends nothing more while all connections are in use', async () => {
      const store = open({ hedgeAfterMs: 10, requestTimeoutMs: 200, maxAttempts: 1, maxConnections: 1 });
      proxy.next({ kind: 'hang' });
      expect(await failureOf(store.get('object'))).toMatchObject({ details: { kind: 'timeout' } });
      expect(proxy.seen).toHaveLength(1);
    });

    it('never sends a write beside another', async () => {
      const store = open({ hedgeAfterMs: 10, requestTimeoutMs: 300, maxAttempts: 1 });
      proxy.next({ kind: 'hang' }, { kind: 'hang' });
      await failureOf(store.putIfAbsent('new', Buffer.from('x')));
      await failureOf(store.deleteMany(['object']));
      expect(proxy.seen.map(({ method }) => method)).toEqual(['PUT', 'POST']);
    });
  });

  describe('that loses the answer to a write', () => {
    it('knows its own object again', async () => {
      proxy.next({ kind: 'lose-answer' });
      expect(await open().putIfAbsent('new', Buffer.from('mine'))).toBe('created');
      expect(proxy.seen.map(({ method }) => method)).toEqual(['PUT', 'PUT', 'HEAD']);
      expect(text(await direct.get('new'))).toBe('mine');
    });

    it('does not take the same bytes of another writer for its own', async () => {
      const store = open();
      proxy.next(answer(500, 'InternalError'));
      const mine = store.putIfAbsent('object', Buffer.from('0123456789'));
      expect(await mine).toBe('exists');
    });

    it('knows its own object again when a proxy has repeated the write by itself', async () => {
      proxy.next({ kind: 'repeat' });
      expect(await open().putIfAbsent('new', Buffer.from('mine'))).toBe('created');
      expect(await open().putIfAbsent('new', Buffer.from('mine'))).toBe('exists');
    });

    it('compares bytes where the server drops metadata, and only after a retry', async () => {
      const withoutMetadata = { kind: 'change', dropHeaders: ['x-amz-meta-write-id'] } as const;
      const store = open();
      proxy.next({ kind: 'lose-answer' }, { kind: 'pass' }, withoutMetadata);
      expect(await store.putIfAbsent('new', Buffer.from('mine'))).toBe('created');
      proxy.next({ kind: 'pass' }, withoutMetadata);
      expect(await store.putIfAbsent('new', Buffer.from('mine'))).toBe('exists');
      proxy.next(answer(500, 'InternalError'), { kind: 'pass' }, withoutMetadata);
      expect(await store.putIfAbsent('new', Buffer.from('else'))).toBe('exists');
    });

    it('asks again on a conflict with a write that is still running', async () => {
      const store = open();
      proxy.next(answer(409, 'ConditionalRequestConflict'));
      expect(await store.putIfAbsent('new', Buffer.from('x'))).toBe('created');
      proxy.next(answer(409, 'ConditionalRequestConflict'));
      expect(await store.putIfAbsent('new', Buffer.from('x'))).toBe('exists');
    });

    it('writes again when what refused the write has been deleted since', async () => {
      proxy.next(answer(412, 'PreconditionFailed'));
      expect(await open().putIfAbsent('new', Buffer.from('x'))).toBe('created');
      expect(proxy.seen.map(({ method }) => method)).toEqual(['PUT', 'HEAD', 'PUT']);
    });
  });

  describe('that refuses', () => {
    it('does not take a missing bucket for missing objects', async () => {
      const store = open({ bucket: newBucketName() });
      for (const call of [
        () => store.get('object'),
        () => store.list(''),
        () => store.deleteMany(['object']),
        () => store.putIfAbsent('new', Buffer.from('x')),
      ]) {
        const failure = await failureOf(call());
        expect(failure).toBeInstanceOf(ObjectStoreError);
        expect(failure).toMatchObject({ retryable: false, details: { name: 'NoSuchBucket', attempts: 1 } });
      }
    });

    it('does not ask again with wrong credentials', async () => {
      for (const credentials of [
        { accessKeyId: 'nobody', secretAccessKey: 'x' },
        { ...server.credentials, secretAccessKey: 'wrong' },
      ]) {
        const failure = await failureOf(open({ credentials }).get('object'));
        expect(failure).toBeInstanceOf(ObjectStoreError);
        expect(failure).toMatchObject({ details: { status: 403, attempts: 1 } });
      }
      expect(proxy.seen).toHaveLength(2);
    });

    it('deletes again what could not be deleted just then, and names what never can be', async () => {
      const body = (errors: string) => `<DeleteResult>${errors}</DeleteResult>`;
      const error = (key: string, code: string) => `<Error><Key>${key}</Key><Code>${code}</Code></Error>`;
      const store = open();
      proxy.next({ kind: 'answer', status: 200, body: body(error('object', 'InternalError')) });
      await store.deleteMany(['object']);
      await expect(direct.get('object')).rejects.toBeInstanceOf(ObjectNotFoundError);

      proxy.next({
        kind: 'answer',
        status: 200,
        body: body(error('kept', 'AccessDenied') + error('object', 'SlowDown') + error('gone', 'NoSuchKey')),
      });
      const failure = await failureOf(store.deleteMany(['kept', 'object', 'gone', 'deleted']));
      expect(failure).toBeInstanceOf(ObjectDeleteError);
      expect((failure as ObjectDeleteError).failures).toEqual([{ key: 'kept', reason: 'AccessDenied' }]);
    });
  });

  it('ends what is running when it is closed', async () => {
    proxy.always({ kind: 'hang' });
    const store = open();
    const running = [store.get('object'), store.putIfAbsent('new', Buffer.from('x'))].map(failureOf);
    await expect.poll(() => proxy.seen).toHaveLength(2);
    await store.close();
    for (const failure of await Promise.all(running)) expect(failure).toBeInstanceOf(ClosedError);
  });

  it('ends a pause between attempts when it is closed', async () => {
    proxy.always(answer(503, 'SlowDown'));
    const store = open({ maxAttempts: 50 });
    const running = failureOf(store.list(''));
    await expect.poll(() => proxy.seen.length).toBeGreaterThan(0);
    await store.close();
    expect(await running).toBeInstanceOf(ClosedError);
  });

  it('finds out whether the server honours conditional writes', async () => {
    const store = open();
    await store.check();
    expect((await store.list('')).objects.map(({ key }) => key)).toEqual(['object']);
    const overwritten = { kind: 'answer', status: 200, body: '' } as const;
    proxy.always(({ method }) => (method === 'PUT' ? overwritten : { kind: 'pass' }));
    await expect(store.check()).rejects.toMatchObject({ details: { name: 'IfNoneMatchIgnored' } });
  });

  it('creates its bucket once', async () => {
    const store = open({ bucket: newBucketName() });
    await Promise.all([store.ensureBucket(), store.ensureBucket()]);
    await store.ensureBucket();
    expect(await store.list('')).toEqual({ objects: [], next: null });
  });
});

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (failure) {
    return failure;
  }
  throw new Error('the call succeeded');
}
