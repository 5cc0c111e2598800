/**
 * Takes the picture of the dashboard with data of a running quickstart (`npm start -- --rate 4`): a Prometheus scrapes it for
 * some minutes while its API is asked, then Grafana's own components draw the panels in Chromium. They are installed in a
 * temporary folder: `npm run pictures:dashboard -- [API URL] [admin URL] [minutes]`.
 */
import { execFileSync } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { build, preview } from 'vite';
import { startBrowser } from '../../../test/support/api/browser.js';
import { debianProgram } from '../../../test/support/debian-program.js';
import { eventually } from '../../../test/support/eventually.js';
import { startPrometheus } from '../../../test/support/prometheus/prometheus.js';

const [, , apiUrl = 'http://127.0.0.1:8100', adminUrl = 'http://127.0.0.1:8101', minutes = '5'] = process.argv;
const FOLDER = resolve(import.meta.dirname, '../../../config/deploy/grafana');
const PACKAGES = [
  ...['@grafana/ui@13.2.3', '@grafana/data@13.2.3', 'react@19.3.1', 'react-dom@19.3.1', '@fontsource/inter@5.3.0'],
];
const WIDTH_PIXELS = 1_440;
const STEP_SECONDS = 2;
/** Grafana's `$__rate_interval` where a scrape is every four seconds. */
const RATE_INTERVAL = '16s';

interface Panel {
  readonly id: number;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

/** A line of a panel. */
interface Series {
  readonly name: string;
  readonly timesMs: readonly number[];
  /** Null where a sample is missing, or is no number. */
  readonly values: readonly (number | null)[];
}

interface Matrix {
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly values: [number, string][] }[];
  };
}

/** Lets Prometheus at `url` scrape while clients ask the API, and tells the range of time in milliseconds. */
async function gather(): Promise<{ readonly fromMs: number; readonly toMs: number }> {
  // rates need the first samples
  const fromMs = Date.now() + 20_000;
  const toMs = fromMs + Number(minutes) * 60_000;
  const headers = { Accept: 'text/event-stream' };
  const feed = await fetch(`${apiUrl}/v2/feed`, { headers, signal: AbortSignal.timeout(toMs - Date.now()) });
  feed.body?.pipeTo(new WritableStream()).catch(() => undefined);
  while (Date.now() < toMs) {
    for (const path of ['/v1/messages?limit=20', '/v2/messages?order=newest&limit=5', '/v2/lanes'])
      await (await fetch(apiUrl + path)).arrayBuffer();
    await delay(100);
  }
  return { fromMs, toMs };
}

async function seriesOf(
  prometheusUrl: string,
  { targets = [] }: Panel,
  fromMs: number,
  toMs: number,
): Promise<Series[]> {
  const timesMs: number[] = [];
  for (let ms = fromMs; ms <= toMs; ms += STEP_SECONDS * 1_000) timesMs.push(ms);
  const lines: Series[] = [];
  for (const { expr, legendFormat } of targets) {
    const query = expr
      .replaceAll('$job', 'ccv-indexer')
      .replaceAll('$instance', '.+')
      .replaceAll('$__rate_interval', RATE_INTERVAL);
    const [start, end, step] = [fromMs / 1_000, toMs / 1_000, STEP_SECONDS].map(String);
    const asked = new URLSearchParams({ query, start: start!, end: end!, step: step! });
    const { data } = (await (await fetch(`${prometheusUrl}/api/v1/query_range?${asked}`)).json()) as Matrix;
    for (const { metric, values } of data.result) {
      const known = new Map(values.map(([seconds, value]) => [Math.round(seconds * 1_000), Number(value)]));
      const name = legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? '');
      const numbers = timesMs.map((ms) => known.get(ms) ?? null);
      lines.push({ name, timesMs, values: numbers.map((value) => (Number.isFinite(value) ? value : null)) });
    }
  }
  return lines;
}

/** Installs Grafana's components in `scratch`, and builds the page there. */
async function buildPage(scratch: string): Promise<void> {
  await writeFile(join(scratch, 'package.json'), '{"private":true,"type":"module"}');
  await writeFile(join(scratch, 'index.html'), '<!doctype html><body><script type="module" src="panels.mjs"></script>');
  await copyFile(join(import.meta.dirname, 'panels.mjs'), join(scratch, 'panels.mjs'));
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--legacy-peer-deps', '--loglevel=error'];
  execFileSync('npm', ['install', ...quiet, ...PACKAGES], { cwd: scratch, stdio: 'inherit' });
  await build({ root: scratch, configFile: false, logLevel: 'error' });
}

const scratch = await mkdtemp(join(tmpdir(), 'ccv-dashboard-'));
const prometheus = await startPrometheus([adminUrl]);
const browser = await startBrowser();
// a third of the bytes, with the same look
const quantizer = await debianProgram('pngquant', '/usr/bin/pngquant');
try {
  await buildPage(scratch);
  const { fromMs, toMs } = await gather();
  const dashboard = JSON.parse(await readFile(join(FOLDER, 'ccv-indexer.json'), 'utf8')) as { panels: Panel[] };
  const seriesById: Record<number, Series[]> = {};
  for (const panel of dashboard.panels) seriesById[panel.id] = await seriesOf(prometheus.url, panel, fromMs, toMs);
  const given = [dashboard, seriesById, fromMs, toMs, WIDTH_PIXELS] as const;
  const pages = await preview({ root: scratch, configFile: false, preview: { host: '127.0.0.1', port: 0 } });
  const page = await browser.open(pages.resolvedUrls!.local[0]!);
  await eventually('the page is loaded', () => page.run(() => Reflect.has(globalThis, 'draw')));
  const resize = (height: number) => {
    const size = { width: WIDTH_PIXELS, height, deviceScaleFactor: 1, mobile: false };
    return page.order('Emulation.setDeviceMetricsOverride', size);
  };
  await resize(1_000);
  await resize(await page.run((...given) => Reflect.get(globalThis, 'draw')(...given), ...given));
  const { data } = await page.order('Page.captureScreenshot', { format: 'png' });
  await writeFile(join(scratch, 'full.png'), Buffer.from(String(data), 'base64'));
  const picture = join(FOLDER, 'dashboard.png');
  execFileSync(quantizer, ['--force', '--skip-if-larger', '--strip', '--output', picture, join(scratch, 'full.png')]);
  await pages.close();
} finally {
  await browser.close();
  await prometheus.close();
  await rm(scratch, { recursive: true, force: true });
}
