import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { endAllCli, startDevnet } from '../../support/e2e/cli.js';
import { e2eDirectory } from '../../support/e2e/service.js';
import { eventually } from '../../support/eventually.js';
import { ROOT } from '../../support/pages.js';
import { startPrometheus } from '../../support/prometheus/prometheus.js';

interface Panel {
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const { panels } = JSON.parse(readFileSync(join(ROOT, 'config/deploy/grafana/ccv-indexer.json'), 'utf8')) as {
  readonly panels: readonly Panel[];
};

const directory = e2eDirectory();
afterAll(async () => {
  await endAllCli();
  directory.remove();
});

it('each query of the dashboard has data of a running product, and each legend its labels', async () => {
  const cli = startDevnet(['--port', '0', '--data', join(directory.path, 'data'), '--rate', '4']);
  const [, api = '', admin = ''] = await cli.printed(/^query API (\S+), admin port (\S+), data in /m);
  const prometheus = await startPrometheus([admin]);
  const asking = setInterval(() => void fetch(`${api}/v1/messages`).catch(() => undefined), 100);
  try {
    const targets = panels.flatMap(({ title, targets: all = [] }) => all.map((target) => ({ title, ...target })));
    expect(targets.length).toBeGreaterThan(40);
    for (const { title, expr, legendFormat } of targets) {
      const asked = expr
        .replaceAll('$job', 'ccv-indexer')
        .replaceAll('$instance', '.+')
        .replaceAll('$__rate_interval', '30s');
      expect(asked).not.toContain('$');
      await eventually(`data of ${title}: ${asked}`, async () => {
        const samples = await prometheus.query(asked);
        const labels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
        for (const { metric } of samples) expect(Object.keys(metric)).toEqual(expect.arrayContaining(labels));
        return samples.some(({ value }) => Number.isFinite(value));
      });
    }
  } finally {
    clearInterval(asking);
    await prometheus.close();
  }
});

it('the panels of the dashboard fill it, and none lies over another', () => {
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  const rows = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h));
  expect(cells.length).toBe(24 * rows);
});
