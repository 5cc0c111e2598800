import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../eventually.js';
import { ROOT } from '../pages.js';
import { startPrometheus } from './prometheus.js';

/** Seconds of the rules that pass in one of a test: an hour takes 36 s. */
const HASTE = 100;
/** The fewest seconds between whose ends a counter is seen to grow, where each is scraped, and the machine is busy. */
const LEAST_WINDOW_SECONDS = 10;

const SECONDS: Readonly<Record<string, number>> = { m: 60, h: 3_600 };

/** The rules of `config/deploy/prometheus/alerts.yml` in haste: what they call minutes passes in seconds. */
function hastenedRules(haste: number): string {
  const inHaste = (number: string, unit: string) => (Number(number) * SECONDS[unit]!) / haste;
  return readFileSync(join(ROOT, 'config/deploy/prometheus/alerts.yml'), 'utf8')
    .replace(/(\[|offset )(\d+)([mh])/g, (_, before: string, number: string, unit: string) => {
      return `${before}${Math.ceil(Math.max(LEAST_WINDOW_SECONDS, inHaste(number, unit)))}s`;
    })
    .replace(/for: (\d+)([mh])/g, (_, number: string, unit: string) => `for: ${Math.ceil(inHaste(number, unit))}s`)
    .replace(/(\d+) \* 3600/g, (_, hours: string) => `${(Number(hours) * SECONDS['h']!) / haste}`)
    .replace(/(_seconds\)) > (\d+)/g, (_, metric: string, number: string) => `${metric} > ${Number(number) / haste}`);
}

/** A real Prometheus with the rules of operators, in haste. */
export interface WatchedAlerts {
  /** Breaks something, and waits until each of these alerts fires for something that it did not fire for before. */
  fire(fault: () => unknown, ...names: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Watches the admin ports at `targets`. */
export async function watchAlerts(targets: readonly string[], haste = HASTE): Promise<WatchedAlerts> {
  const prometheus = await startPrometheus(targets, { 'alerts.yml': hastenedRules(haste) });
  const firing = async () => await prometheus.query('ALERTS{alertstate="firing"}');
  await eventually('all admin ports are scraped', async () => {
    return (await prometheus.query('up == 1')).length === targets.length;
  });
  return {
    async fire(fault, ...names) {
      const before = new Set((await firing()).map(({ metric }) => JSON.stringify(metric)));
      await fault();
      const quiet = new Set(names);
      await eventually(`${names.join(', ')} to fire`, async () => {
        for (const { metric } of await firing())
          if (!before.has(JSON.stringify(metric))) quiet.delete(metric['alertname'] ?? '');
        return quiet.size === 0 || [...quiet];
      });
    },
    close: () => prometheus.close(),
  };
}
