import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createHttpMetrics } from '../../../src/api/http/http-metrics.js';
import { createChainMetrics } from '../../../src/chains/chain-metrics.js';
import { createCommon } from '../../../src/core/common.js';
import { createSchedulerMetrics } from '../../../src/indexer/scheduler-metrics.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createMeteredStorage } from '../../../src/storage/metered-storage.js';
import { createAggregatorMetrics } from '../../../src/verifiers/aggregator/client/aggregator-metrics.js';
import { createResilience } from '../../../src/verifiers/resilience.js';
import { ROOT } from '../../support/pages.js';

const manual = readFileSync(join(ROOT, 'config/README.md'), 'utf8');
const [, theirs = '', ours = ''] = /^### Names\n(.*?)^These are this program's own:\n(.*?)^## /ms.exec(manual) ?? [];

/** Rows of the list of the Go indexer's names: the name, and its labels here. */
const rows = [...theirs.matchAll(/^\| `(indexer_\w+)` \| (.*?) ?\|/gm)].map(([, name = '', labels = '']) => ({
  name,
  labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
}));

/** A registry with the metrics of every part that has some of the Go indexer's names. */
function filledRegistry(): Registry {
  const common = createCommon();
  const { metrics } = common;
  createHttpMetrics(metrics);
  createChainMetrics(metrics);
  createSchedulerMetrics(metrics);
  createAggregatorMetrics(common);
  createMeteredStorage(createMemoryStorage({ name: 'hot' }), common);
  createResilience({
    verifier: 'committee',
    maxConcurrentRequests: 1,
    maxQueuedRequests: 1,
    failuresToOpen: 1,
    openBackoff: { baseMs: 1, maxMs: 1 },
    retries: 0,
    retryBackoff: { baseMs: 1, maxMs: 1 },
    countsAgainstService: () => true,
    lastFailure: () => null,
    isTransient: () => false,
    common,
  });
  return metrics;
}

describe('the names of metrics in config/README.md', () => {
  it('that are those of the Go indexer are in the registry, with these labels', () => {
    const registry = filledRegistry();
    expect(rows.length).toBeGreaterThan(15);
    const registered = rows.map(({ name }) => ({
      name,
      labels: (registry.getSingleMetric(name) as { readonly labelNames?: readonly string[] } | undefined)?.labelNames,
    }));
    const sorted = (list: readonly { readonly name: string; readonly labels?: readonly string[] | undefined }[]) =>
      list.map(({ name, labels }) => ({ name, labels: labels && [...labels].sort() }));
    expect(sorted(registered)).toEqual(sorted(rows));
  });

  it('are together all that the code has, each once', () => {
    const code = execFileSync('grep', ['-rhoE', "name: 'indexer_\\w+'|'indexer_storage_\\w+'", 'src'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const known = [...new Set([...code.matchAll(/indexer_\w+/g)].map(([name]) => name))];
    const own = [...ours.matchAll(/`(indexer_\w+)`/g)].map(([, name = '']) => name);
    expect(known.length).toBeGreaterThan(100);
    expect([...rows.map(({ name }) => name), ...own].sort()).toEqual(known.sort());
  });
});
