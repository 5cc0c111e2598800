/** Fails when a line of `src` is too wide, a file too long, or a folder too full. */
import { resolve } from 'node:path';
import { type SizeLimits, sizeProblems } from './checks/sizes.js';

const LIMITS: SizeLimits = {
  columns: 120,
  lines: 300,
  filesInFolder: 25,
  narrow: ['src'],
  generated: ['src/client/routes.ts'],
  // these shrink; nothing is added
  wideLines: 0,
  longFiles: {
    'test/contract/object-store-contract.ts': 360,
    'test/e2e/s3-outage.test.ts': 318,
    'test/integration/chains/cross-check.test.ts': 315,
    'test/integration/chains/on-ramps.test.ts': 327,
    'test/integration/chains/rpc-claims.test.ts': 335,
    'test/integration/cold/storage-following.test.ts': 431,
    'test/integration/cold/verify.test.ts': 325,
    'test/integration/object-store/s3-failures.test.ts': 400,
    'test/integration/postgres/prune.test.ts': 329,
    'test/integration/sink/following.test.ts': 386,
    'test/integration/sink/pruning.test.ts': 308,
    'test/integration/sink/restore.test.ts': 396,
    'test/integration/verifiers/rest.test.ts': 367,
    'test/unit/config/mistakes.test.ts': 478,
    'test/unit/storage/cold/delta-format.test.ts': 310,
    'test/unit/storage/memory/eviction.test.ts': 307,
  },
};

const problems = sizeProblems(resolve(import.meta.dirname, '..'), ['src', 'test', 'scripts'], LIMITS);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
