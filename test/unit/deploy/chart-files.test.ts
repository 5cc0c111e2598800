import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../../support/pages.js';

// a chart holds its files: npm packs no links, and Helm reads nothing outside the chart
it.each([
  ['alerts.yml', 'prometheus/alerts.yml'],
  ['ccv-indexer.json', 'grafana/ccv-indexer.json'],
])('%s of the chart is a copy of config/deploy/%s', (copy, original) => {
  const read = (path: string) => readFileSync(join(ROOT, 'config/deploy', path), 'utf8');
  expect(read(`helm/ccv-indexer/files/${copy}`)).toBe(read(original));
});
