import { expect, it } from 'vitest';
import { addProcessMetrics } from '../../../src/app/process-metrics.js';
import { packageVersion } from '../../../src/app/version.js';
import { createCommon } from '../../../src/core/common.js';

it('the process, its runtime and its build are among the metrics', async () => {
  const common = createCommon();
  addProcessMetrics(common);
  const text = await common.metrics.metrics();
  for (const name of ['process_resident_memory_bytes', 'process_open_fds', 'nodejs_eventloop_lag_seconds'])
    expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
  expect(text).toContain(
    `indexer_build_info{version="${packageVersion()}",commit="unknown",node="${process.version}"} 1`,
  );
});
