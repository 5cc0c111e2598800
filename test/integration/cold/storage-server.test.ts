import { expect, test } from 'vitest';
import { allOf, committed, createLife, follow, openArchive } from '../../support/cold/storage-life.js';
import { eventually } from '../../support/eventually.js';
import { createTestS3Store, s3StoreOn } from '../../support/s3/object-store.js';
import { newBucketName } from '../../support/s3/server.js';
import { s3ServerFixture } from '../../support/s3/server-fixture.js';

const s3 = s3ServerFixture();

test('three writers on a real server hold every change once', async () => {
  const bucket = newBucketName();
  const store = await createTestS3Store(s3.server, { bucket });
  const stores = [store, s3StoreOn(s3.server, { bucket }), s3StoreOn(s3.server, { bucket })];
  const archives = stores.map((each, index) => openArchive(each, `archive-${index}`, 30_000));
  const life = createLife(31);
  for (let round = 0; round < 4; round += 1) {
    await life.live(10);
    await Promise.all(archives.map((archive) => follow(archive, life.origin, 3 + round)));
    await Promise.all(archives.map((archive) => archive.flush()));
    expect(await committed(store)).toEqual(await allOf(life.origin));
  }
  for (const archive of archives) await archive.close();
  for (const each of stores) await each.close();
});

test('a server that goes away and comes back has missed nothing', async () => {
  const store = await createTestS3Store(s3.server, { maxAttempts: 2 });
  const archive = openArchive(store);
  const life = createLife(32);
  await life.live(10);
  await follow(archive, life.origin);
  await archive.flush();
  const stood = archive.coverage();
  await s3.server.stopGateway();
  try {
    await life.live(10);
    await follow(archive, life.origin);
    await expect(archive.flush()).rejects.toMatchObject({ name: 'StorageUnavailableError', retryable: true });
    expect(archive.coverage()).toEqual(stood);
    expect((await archive.health()).healthy).toBe(false);
  } finally {
    await s3.server.startGateway();
  }
  // it is left alone for a second or two after it did not answer
  await eventually('the server is asked again', () => archive.flush().then(() => true, String));
  expect((await archive.health()).healthy).toBe(true);
  await archive.close();
  expect(await committed(store)).toEqual(await allOf(life.origin));
  await store.close();
});
