import { statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { PATIENCE_MS, TEST_LIMIT_MS } from './test/support/patience.js';
import { SELDOM_OPTIMIZED } from './test/support/seldom-optimized.js';

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

/** Processes that are waited for beside what computes, from the beginning: neither kind is left alone at the end. */
class WaitingBesideComputing extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      if (moduleId.includes('/test/e2e/')) return 0;
      return moduleId.includes('/test/simulation/') || moduleId.includes('/test/contract/') ? 1 : 2;
    };
    const sorted = (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
    const waiting = sorted.filter((file) => rank(file) === 0);
    const computing = sorted.slice(waiting.length);
    const beside = waiting.flatMap((file, index) => [file, ...computing.slice(index, index + 1)]);
    return [...beside, ...computing.slice(waiting.length)];
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
    testTimeout: TEST_LIMIT_MS,
    hookTimeout: TEST_LIMIT_MS,
    expect: { poll: { timeout: PATIENCE_MS } },
    pool: 'forks',
    // tests make many objects that soon die: in V8's own few megabytes they are copied about for a tenth of the CPU time
    execArgv: [...SELDOM_OPTIMIZED, '--min-semi-space-size=16', '--max-semi-space-size=64'],
    // to load all modules again for each file takes a seventh of the time of the whole suite
    isolate: false,
    setupFiles: ['test/support/fresh-secrets.ts'],
    // about half of them wait for something most of the time
    maxWorkers: 4,
    sequence: { sequencer: WaitingBesideComputing },
  },
});
