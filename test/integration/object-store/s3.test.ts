import { expect, it, vi } from 'vitest';
import { describeObjectStore } from '../../contract/object-store-contract.js';
import { startConnectProxy } from '../../support/api/connect-proxy.js';
import { eventually } from '../../support/eventually.js';
import { createTestS3Store, s3StoreOn } from '../../support/s3/object-store.js';
import { newBucketName } from '../../support/s3/server.js';
import { s3ServerFixture } from '../../support/s3/server-fixture.js';

const s3 = s3ServerFixture();

for (const { name, prefix, checksums } of [
  { name: 'S3', prefix: '', checksums: 'when_supported' },
  { name: 'S3 under a prefix, without checksums', prefix: 'cold tier/of+one', checksums: 'when_required' },
] as const)
  describeObjectStore(name, async () => {
    const bucket = newBucketName();
    const store = await createTestS3Store(s3.server, { bucket, prefix, checksums });
    const other = s3StoreOn(s3.server, { bucket, prefix, checksums });
    return {
      store,
      other,
      remove: async () => {
        await store.close();
        await other.close();
      },
    };
  });

it('an object store is reached through the proxy that the environment names', async () => {
  const proxy = await startConnectProxy(new URL(s3.server.endpoint));
  for (const name of ['http_proxy', 'no_proxy', 'NO_PROXY']) vi.stubEnv(name, undefined);
  vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${proxy.port}`);
  const store = await createTestS3Store(s3.server, { endpoint: 'http://s3.acme.invalid:9000' });
  try {
    const names = Array.from({ length: 8 }, (_, index) => `object-${index}`);
    await Promise.all(names.map((name) => store.putIfAbsent(name, Buffer.from(name))));
    for (const name of names) expect(String(await store.get(name))).toBe(name);
    expect(new Set(proxy.tunnels)).toEqual(new Set(['s3.acme.invalid:9000']));
    await eventually('a kept connection to be used again', async () => {
      const { length } = proxy.tunnels;
      await store.get('object-0');
      return proxy.tunnels.length === length;
    });
  } finally {
    await store.close();
    await proxy.close();
    vi.unstubAllEnvs();
  }
});
