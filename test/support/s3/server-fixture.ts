import { beforeAll, inject } from 'vitest';
import { createTestS3Store } from './object-store.js';
import { newBucketName, type S3TestServer, startS3Server } from './server.js';

/** Starting the server may include installing it. */
const START_WITHIN_MS = 300_000;

declare module 'vitest' {
  export interface ProvidedContext {
    /** A directory that is removed when all tests have ended. */
    scratch: string;
  }
}

/** Starting takes more than a second of CPU time: one server does for all test files of a process, and ends with it. */
let shared: Promise<S3TestServer> | undefined;

/** Other files use it too, one after the other: each has buckets of its own, and leaves the gateway running. */
export async function sharedS3Server(): Promise<S3TestServer> {
  shared ??= startS3Server(inject('scratch'));
  return await shared;
}

/** The shared S3 server for the calling file or `describe`; it is there from `beforeAll` on. */
export function s3ServerFixture(): { readonly server: S3TestServer } {
  let server: S3TestServer;
  beforeAll(async () => {
    server = await sharedS3Server();
  }, START_WITHIN_MS);
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
