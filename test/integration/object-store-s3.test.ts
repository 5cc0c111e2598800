import { describeObjectStore } from '../contract/object-store-contract.js';
import { createTestS3Store, s3StoreOn } from '../support/object-store.js';
import { newBucketName } from '../support/s3-server.js';
import { s3ServerFixture } from '../support/s3-server-fixture.js';

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
