import { expect, test } from 'vitest';
import { seriesHistogram } from '../../../src/core/histogram-series.js';
import { histogram, Registry } from '../../../src/core/metrics.js';

const CONFIG = { name: 'seconds', help: 'h', labelNames: ['route', 'status'] as const, buckets: [0.001, 0.01, 0.5, 2] };
const VALUES = [0, 0.0005, 0.001, 0.0011, 0.3, 0.5, 1.9, 2, 2.1, 60];

test('series are exported as the library exports its own values, beside these', async () => {
  const [plain, fast] = [new Registry(), new Registry()];
  const expected = histogram(plain, { ...CONFIG, labelNames: [...CONFIG.labelNames] });
  const ours = seriesHistogram(fast, { ...CONFIG, labelNames: [...CONFIG.labelNames] });
  const series = ['a', 'b'].map((route) => ours.series({ route, status: '200' }));
  expect(await fast.metrics()).toBe(await plain.metrics());
  for (const [index, route] of ['a', 'b'].entries())
    for (const value of VALUES.slice(index)) {
      expected.observe({ route, status: '200' }, value);
      series[index]!(value);
    }
  for (const each of [expected, ours]) each.observe({ route: 'c', status: '500' }, 0.2);
  const linesOf = async (registry: Registry) => (await registry.metrics()).split('\n').sort();
  expect(await linesOf(fast)).toEqual(await linesOf(plain));
  const [theirs, own] = [await expected.get(), await ours.get()];
  const textOf = ({ labels, value, metricName }: (typeof own.values)[number]) =>
    JSON.stringify([metricName, value, Object.entries(labels).sort()]);
  expect(own.values.map(textOf).sort()).toEqual(theirs.values.map(textOf).sort());
});

test('the same labels are the same series, whichever instance asks and in whichever order', async () => {
  const registry = new Registry();
  const first = seriesHistogram(registry, { ...CONFIG, labelNames: [...CONFIG.labelNames] });
  const second = seriesHistogram(registry, { ...CONFIG, labelNames: [...CONFIG.labelNames] });
  first.series({ route: 'a', status: '200' })(1);
  second.series({ status: '200', route: 'a' })(1);
  expect(await registry.metrics()).toContain('seconds_count{route="a",status="200"} 2');
});
