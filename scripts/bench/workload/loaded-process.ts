import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapSpaceStatistics } from 'node:v8';
import { createCommon } from '../../../src/core/common.js';
// all of the program is loaded, as in a worker
import * as library from '../../../src/index.js';
import { createSimpleSink } from '../../../src/sink/sink.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { settledBytes } from '../held-bytes.js';
import type { LoadedWish } from './loaded.js';

process.on('message', async ({ connection, namespace, records }: LoadedWish) => {
  const common = createCommon();
  const before = process.memoryUsage();
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  const memory = createMemoryStorage({ name: 'hot', common });
  const warm = createPostgresStorage({ name: 'warm', connection, namespace, common });
  const sink = createSimpleSink([memory, warm], common);
  await sink.started();
  const startedMs = performance.now() - startMs;
  let answered = 0;
  let slowestMs = 0;
  const isWarm = () => memory.coverage().throughPosition >= BigInt(records);
  while (!isWarm()) {
    const askedMs = performance.now();
    const { count } = await sink.countCCVData({});
    if (count !== records) throw new Error(`${count} records are told while memory is filled`);
    slowestMs = Math.max(slowestMs, performance.now() - askedMs);
    answered += 1;
    await sleep(20);
  }
  const warmMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  const { rss: loadedRss } = process.memoryUsage();
  await settledBytes();
  const code = getHeapSpaceStatistics()
    .filter(({ space_name }) => space_name.includes('code') || space_name === 'read_only_space')
    .reduce((sum, { space_used_size }) => sum + space_used_size, 0);
  process.send?.({
    ...{ startedMs, warmMs, answered, slowestMs, cpuUs: user + system, loadedRss, code },
    ...{ before, after: process.memoryUsage(), exports: Object.keys(library).length },
  });
  await sink.close();
  process.disconnect();
});
