import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { showDisk } from '../../../src/storage/cold/object-store/directory/disk-metrics.js';
import { eventually } from '../../support/eventually.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ccv-disk-'));
});
afterAll(() => rm(directory, { recursive: true }));

/** The storages that a scrape tells a size of, with that. */
async function sizes(registry: Registry): Promise<ReadonlyMap<string, number>> {
  const text = await registry.metrics();
  const lines = text.matchAll(/^indexer_cold_disk_size_bytes\{storage="(\w+)"\} (\d+)$/gm);
  return new Map([...lines].map(([, storage = '', bytes]) => [storage, Number(bytes)]));
}

it('the file system of each directory is told from the time that it is there', async () => {
  const registry = new Registry();
  showDisk(registry, 'near', directory);
  showDisk(registry, 'later', join(directory, 'later'));
  const { bsize, blocks } = await statfs(directory);
  await eventually('one is told', async () => (await sizes(registry)).get('near') === bsize * blocks);
  expect([...(await sizes(registry)).keys()]).toEqual(['near']);
  await mkdir(join(directory, 'later'));
  await eventually('both are told', async () => (await sizes(registry)).size === 2);
  await rm(join(directory, 'later'), { recursive: true });
  await eventually('one is told', async () => (await sizes(registry)).size === 1);
});
