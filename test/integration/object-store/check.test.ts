import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type OpenedObjectStore, openObjectStore } from '../../../src/app/open-object-store.js';
import { s3 as s3Section } from '../../../src/config/schema/s3-schema.js';
import { createCommon } from '../../../src/core/common.js';
import type { S3ObjectStore } from '../../../src/storage/cold/object-store/s3/s3-store.js';
import { s3StoreOn } from '../../support/s3/object-store.js';
import { newBucketName, type S3TestServer } from '../../support/s3/server.js';
import { sharedS3Server } from '../../support/s3/server-fixture.js';
import { type ProxyAction, type ProxyRule, type S3Proxy, startS3Proxy } from '../../support/s3/server-proxy.js';

/** Real servers that refuse, or do another thing than they were asked for, are not to be had: a proxy makes one of ours so. */
describe('the check of a bucket', () => {
  let server: S3TestServer;
  let proxy: S3Proxy;
  let bucket: string;
  let direct: S3ObjectStore;
  let opened: OpenedObjectStore[];

  beforeAll(async () => {
    server = await sharedS3Server();
  });
  beforeEach(async () => {
    opened = [];
    proxy = await startS3Proxy(server);
    bucket = newBucketName();
    direct = s3StoreOn(server, { bucket });
    await direct.ensureBucket();
  });
  afterEach(async () => {
    for (const { store } of opened) await store.close();
    await direct.close();
    await proxy.stop();
  });

  function open(table: Readonly<Record<string, unknown>> = {}): OpenedObjectStore {
    const section = s3Section.parse({
      ...{ Endpoint: proxy.endpoint, Bucket: bucket, Region: server.region, ForcePathStyle: true, MaxAttempts: 2 },
      ...{ AccessKeyID: server.credentials.accessKeyId, SecretAccessKey: server.credentials.secretAccessKey },
      ...table,
    });
    const objects = openObjectStore('cold', section, createCommon());
    opened.push(objects);
    return objects;
  }
  const left = async () => (await direct.list('')).objects.map(({ key }) => key);

  const refuse = (status: number, code: string): ProxyAction => ({
    kind: 'answer',
    status,
    body: `<Error><Code>${code}</Code><Message>A header you provided implies functionality that is not implemented</Message></Error>`,
  });
  const pass: ProxyAction = { kind: 'pass' };
  const hasChecksum: (request: Parameters<ProxyRule>[0]) => boolean = ({ headers }) =>
    Object.keys(headers).some((name) => /^x-amz-(sdk-)?checksum/.test(name));
  const isList: (request: Parameters<ProxyRule>[0]) => boolean = ({ url = '' }) => url.includes('list-type=2');
  const isBulk: (request: Parameters<ProxyRule>[0]) => boolean = ({ method }) => method === 'POST';
  const listedBackwards = (body: string) => {
    const entries = body.match(/<Contents>.*?<\/Contents>/gs) ?? [];
    return body.replace(/<Contents>.*<\/Contents>/s, entries.reverse().join(''));
  };

  const never = (advice: string) => ({
    code: 'COLD_STORE_REFUSED',
    retryable: false,
    message: expect.stringContaining(advice) as unknown,
  });

  it('leaves nothing behind, and alone what another check is working on', async () => {
    await direct.putIfAbsent('conditional-write-check-young', Buffer.from('x'));
    const { check } = open();
    await check();
    expect(await left()).toEqual(['conditional-write-check-young']);
  });

  it.each<[string, string, ProxyRule]>([
    [
      '501 to checksums',
      'set ChecksumMode = "when_required"',
      (r) => (hasChecksum(r) ? refuse(501, 'NotImplemented') : pass),
    ],
    [
      '400 to checksums',
      'set ChecksumMode = "when_required"',
      (r) => (hasChecksum(r) ? refuse(400, 'InvalidArgument') : pass),
    ],
    [
      '403 to checksums',
      'set ChecksumMode = "when_required"',
      (r) => (hasChecksum(r) ? refuse(403, 'AccessDenied') : pass),
    ],
    [
      '501 to checksums of writes',
      'set ChecksumMode = "when_required"',
      (r) => (r.method === 'PUT' && hasChecksum(r) ? refuse(501, 'NotImplemented') : pass),
    ],
    [
      '501 to checksums of reads',
      'set ChecksumMode = "when_required"',
      (r) => (r.headers['x-amz-checksum-mode'] ? refuse(501, 'NotImplemented') : pass),
    ],
    [
      '501 to If-None-Match',
      'honours If-None-Match',
      (r) => (r.headers['if-none-match'] ? refuse(501, 'NotImplemented') : pass),
    ],
    [
      '400 to If-None-Match',
      'honours If-None-Match',
      (r) => (r.headers['if-none-match'] ? refuse(400, 'InvalidRequest') : pass),
    ],
    [
      '405 to If-None-Match',
      'honours If-None-Match',
      (r) => (r.headers['if-none-match'] ? refuse(405, 'MethodNotAllowed') : pass),
    ],
    [
      'overwriting',
      'honours If-None-Match',
      (r) => (r.headers['if-none-match'] ? { kind: 'answer', status: 200, body: '' } : pass),
    ],
    [
      'lists backwards',
      'in the order of their bytes',
      (r) => (isList(r) ? { kind: 'rewrite', body: listedBackwards } : pass),
    ],
    [
      'lists nothing that is new',
      'as soon as they are written',
      (r) =>
        isList(r)
          ? {
              kind: 'rewrite',
              body: (body) =>
                body.replace(/<Contents>.*<\/Contents>/s, '').replace('<IsTruncated>true', '<IsTruncated>false'),
            }
          : pass,
    ],
    ['no listings', 'see what the server says', (r) => (isList(r) ? refuse(501, 'NotImplemented') : pass)],
    [
      '403 for what is not there',
      's3:ListBucket',
      (r) => (r.url?.includes('-missing') ? refuse(403, 'AccessDenied') : pass),
    ],
    ['301 to everything', 'correct Region', () => refuse(301, 'PermanentRedirect')],
    ['403 to everything', 'allow these credentials', () => refuse(403, 'AccessDenied')],
    ['another time', 'clock', () => refuse(403, 'RequestTimeTooSkewed')],
    ['an old token', 'renew SessionToken', () => refuse(400, 'ExpiredToken')],
    [
      'no S3 at all',
      'correct Endpoint',
      (r) => (isList(r) ? { kind: 'answer', status: 200, body: '<html><body>Console</body></html>' } : pass),
    ],
  ])(
    'ends the start when a server answers %s, says what to change, and leaves nothing',
    async (_name, advice, rule) => {
      proxy.always(rule);
      const { check } = open();
      await expect(check()).rejects.toMatchObject(never(advice));
      expect(await left()).toEqual([]);
    },
  );

  it.each<[number, string]>([
    [501, 'NotImplemented'],
    [405, 'MethodNotAllowed'],
    [400, 'MissingContentMD5'],
    [403, 'AccessDenied'],
  ])(
    'a server that answers %i %s to deleting many at once is asked to delete one by one, and only that',
    async (status, code) => {
      proxy.always((request) => (isBulk(request) ? refuse(status, code) : pass));
      const { check, store } = open();
      await check();
      const asked = proxy.seen.filter(({ method }) => method === 'POST').length;
      expect(asked).toBe(1);
      await store.putIfAbsent('a', Buffer.from('a'));
      await store.putIfAbsent('b', Buffer.from('b'));
      await store.deleteMany(['a', 'b', 'never-there']);
      expect(await left()).toEqual([]);
      expect(proxy.seen.filter(({ method }) => method === 'POST')).toHaveLength(asked);
    },
  );

  it('writes nothing where nothing can be deleted', async () => {
    proxy.always((request) => (isBulk(request) || request.method === 'DELETE' ? refuse(403, 'AccessDenied') : pass));
    await expect(open().check()).rejects.toMatchObject(never('delete its objects'));
    expect(await left()).toEqual([]);
    expect(proxy.seen.some(({ method }) => method === 'PUT')).toBe(false);
  });

  it('an outage stays one: it may pass', async () => {
    proxy.always({ kind: 'answer', status: 503, body: '<Error><Code>ServiceUnavailable</Code></Error>' });
    await expect(open().check()).rejects.toMatchObject({ code: 'OBJECT_STORE_UNAVAILABLE', retryable: true });
  });

  it('who only reads is told the same before it begins', async () => {
    await direct.putIfAbsent('object', Buffer.from('x'));
    proxy.always((request) => (request.headers['x-amz-checksum-mode'] ? refuse(501, 'NotImplemented') : pass));
    await expect(open().look()).rejects.toMatchObject(never('set ChecksumMode = "when_required"'));
    await open({ ChecksumMode: 'when_required' }).look();
    expect(await left()).toEqual(['object']);
  });

  it('a server that speaks no TLS is no outage', async () => {
    const endpoint = proxy.endpoint.replace('http:', 'https:');
    await expect(open({ Endpoint: endpoint }).check()).rejects.toMatchObject(never('correct Endpoint (http or https'));
  });

  it('a listing out of order is refused whenever it comes', async () => {
    const { store } = open();
    for (const key of ['a', 'b', 'c']) await direct.putIfAbsent(key, Buffer.from('x'));
    proxy.next({ kind: 'rewrite', body: listedBackwards });
    await expect(store.list('')).rejects.toMatchObject({ retryable: false, details: { name: 'UnorderedListing' } });
    // a server that does not know StartAfter begins anew for ever
    proxy.next({
      kind: 'rewrite',
      body: (body) =>
        body.replace(
          '<Contents>',
          '<Contents><Key>a</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents><Contents>',
        ),
    });
    await expect(store.list('', { startAfter: 'a' })).rejects.toMatchObject({ details: { name: 'UnorderedListing' } });
  });
});
