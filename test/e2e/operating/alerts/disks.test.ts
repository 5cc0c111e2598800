import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TomlTable } from 'smol-toml';
import { expect, it } from 'vitest';
import { startCommand } from '../../../support/e2e/cli.js';
import { partsFixture } from '../../../support/e2e/parts-fixture.js';
import { hotAndWarm, serviceOf, writeConfig } from '../../../support/e2e/service.js';
import { metricSum } from '../../../support/e2e/tier-state.js';
import { eventually } from '../../../support/eventually.js';
import { createTestDatabase } from '../../../support/postgres/postgres.js';
import { watchAlerts } from '../../../support/prometheus/alerts.js';

const DISK_BYTES = 32 * 1024 * 1024;
/** Mounts a small file system that the command behind it alone sees, and that is gone with it. */
const ON_SMALL_DISK = `mount -t tmpfs -o size=${DISK_BYTES} none "$0" && exec "$@"`;

const parts = partsFixture();

it('the alert of a disk fires when the file system of a cold directory fills', async () => {
  const database = await createTestDatabase({ migrated: false });
  parts.closing(() => database.drop());
  const { Storage, ...config } = hotAndWarm({ namespace: 'disks', uri: database.uri });
  const { Sink } = Storage as { Sink: { Storages: TomlTable[] } };
  const Storages = [...Sink.Storages, { Name: 'cold', Type: 's3', S3: { Directory: '/mnt/cold' } }];
  const file = writeConfig(parts.path, 'disks.toml', { ...config, Storage: { Strategy: 'sink', Sink: { Storages } } });
  const own = ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', ON_SMALL_DISK, '/mnt'];
  const start = [
    process.execPath,
    'scripts/bundled/run.mjs',
    'src/cli/main.ts',
    'start',
    '--config',
    file,
    '--migrate',
  ];
  const service = await serviceOf(startCommand([...own, ...start], { PATH: process.env['PATH'] ?? '' }));
  await eventually('the size of the disk is shown', async () => {
    return (await metricSum(service.adminUrl, 'indexer_cold_disk_size_bytes')) === DISK_BYTES;
  });
  expect(await metricSum(service.adminUrl, 'indexer_cold_disk_available_bytes')).toBeGreaterThan(DISK_BYTES * 0.9);
  const alerts = parts.closed(await watchAlerts([service.adminUrl]));

  // its mounts, seen from here
  const ballast = join('/proc', String(service.cli.pid), 'root/mnt/ballast');
  await alerts.fire(() => writeFile(ballast, Buffer.alloc(DISK_BYTES * 0.95)), 'CcvIndexerColdDiskFills');
});
