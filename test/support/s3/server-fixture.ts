import { afterAll, beforeAll } from 'vitest';
import { createTestS3Store } from './object-store.js';
import { newBucketName, type S3TestServer, startS3Server } from './server.js';

/** Starting the server may include installing it. */
const START_WITHIN_MS = 300_000;

/** A real S3 server for all tests of the calling file or `describe`; it is there from `beforeAll` on. */
export function s3ServerFixture(): { readonly server: S3TestServer } {
  let server: S3TestServer;
  beforeAll(async () => {
    server = await startS3Server();
  }, START_WITHIN_MS);
  afterAll(async () => {
    await server?.stop();
  });
  return {
    get server() {
      return server;
    },
  };
}

/** The same, with a bucket that the tests share. */
export function s3BucketFixture(): { readonly server: S3TestServer; readonly bucket: string } {
  const fixture = s3ServerFixture();
  const bucket = newBucketName();
  beforeAll(async () => {
    await (await createTestS3Store(fixture.server, { bucket })).close();
  });
  return {
    get server() {
      return fixture.server;
    },
    bucket,
  };
}
