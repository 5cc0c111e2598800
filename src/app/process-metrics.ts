import { collectDefaultMetrics } from 'prom-client';
import type { Common } from '../core/common.js';
import { gauge } from '../core/metrics.js';
import { builtCommit, packageVersion } from './version.js';

/** `process_*` and `nodejs_*` metrics, and which build this is. */
export function addProcessMetrics({ metrics }: Common): void {
  collectDefaultMetrics({ register: metrics });
  gauge(metrics, {
    name: 'indexer_build_info',
    help: 'Always 1; the labels say which version, of which commit, runs on which Node.js.',
    labelNames: ['version', 'commit', 'node'],
  }).set({ version: packageVersion(), commit: builtCommit() ?? 'unknown', node: process.version }, 1);
}
