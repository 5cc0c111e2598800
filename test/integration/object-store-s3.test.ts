import { afterAll, beforeAll } from 'vitest';
import { describeObjectStore } from '../contract/object-store-contract.js';
import { createTestS3Store, s3StoreOn } from '../support/object-store.js';
import { newBucketName, type S3TestServer, startS3Server } from '../support/s3-server.js';

let server: S3TestServer;
beforeAll(async () => {
  server = await startS3Server();
}, 300_000);
afterAll(async () => {
  await server?.stop();
});

for (const { name, prefix, checksums } of [
  { name: 'S3', prefix: '', checksums: 'when_supported' },
  { name: 'S3 under a prefix, without checksums', prefix: 'cold tier/of+one', checksums: 'when_required' },
] as const)
  describeObjectStore(name, async () => {
    const bucket = newBucketName();
    const store = await createTestS3Store(server, { bucket, prefix, checksums });
    const other = s3StoreOn(server, { bucket, prefix, checksums });
    return {
      store,
      other,
      remove: async () => {
        await store.close();
        await other.close();
      },
    };
  });
