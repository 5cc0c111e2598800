import { statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { defineConfig } from 'vitest/config';

const GIB = 2 ** 30;

/** Memory in place of a disk halves the time of the tests that need a database. Elsewhere they run as well. */
function scratchDirectory(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    return bavail * bsize >= 4 * GIB && freemem() >= 8 * GIB ? '/dev/shm' : tmpdir();
  } catch {
    return tmpdir();
  }
}

const TMPDIR = scratchDirectory();
// the setup of all tests runs in this process
process.env['TMPDIR'] = TMPDIR;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    env: { TMPDIR },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
