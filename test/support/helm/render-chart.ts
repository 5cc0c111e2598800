import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { parse, parseAllDocuments } from 'yaml';
import { debianProgram } from '../debian-program.js';
import { ROOT } from '../pages.js';

const run = promisify(execFile);
const CHART = join(ROOT, 'config/deploy/helm/ccv-indexer');
const SPRIG = '/src/github.com/Masterminds/sprig';

/** A rendered object of Kubernetes. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: the compiler checks rendered manifests by the types of each kind
  readonly [field: string]: any;
}
type Values = Readonly<Record<string, unknown>>;

/** Renders our chart as release `indexer`, with values over its own. */
export interface ChartRenderer {
  /** `helm`, or a stand-in with the engine of its templates. */
  readonly how: 'helm' | 'engine';
  /** Rejects with the reason for values that the chart refuses. */
  render(values: Values): Promise<readonly Manifest[]>;
  /** The complaints of `helm lint`; none of the stand-in. */
  lint(values: Values): Promise<string>;
  close(): void;
}

/** Helm where it is in the PATH, else `scripts/helm/render.go`, built by Debian's Go. */
export async function openChartRenderer(): Promise<ChartRenderer> {
  const directory = mkdtempSync(join(tmpdir(), 'ccv-chart-'));
  const close = () => rmSync(directory, { recursive: true, force: true });
  const helm = await run('helm', ['version']).then(
    () => true,
    () => false,
  );
  return helm ? { ...withHelm(directory), close } : { ...(await withEngine(directory)), close };
}

function withHelm(directory: string): Omit<ChartRenderer, 'close'> {
  const file = join(directory, 'values.json');
  const given = ['--values', file, '--kube-version', '1.31.0', '--namespace', 'ccv'];
  return {
    how: 'helm',
    async render(values) {
      writeFileSync(file, JSON.stringify(values));
      return manifestsOf((await run('helm', ['template', 'indexer', CHART, ...given], { maxBuffer: 2 ** 24 })).stdout);
    },
    async lint(values) {
      writeFileSync(file, JSON.stringify(values));
      const { stdout } = await run('helm', ['lint', '--strict', '--quiet', CHART, ...given]);
      return stdout.trim();
    },
  };
}

async function withEngine(directory: string): Promise<Omit<ChartRenderer, 'close'>> {
  const go = await debianProgram('golang-go', '/usr/bin/go');
  const sprig = await debianProgram('golang-github-masterminds-sprig-dev', `/usr/share/gocode${SPRIG}`);
  const program = join(directory, 'render');
  await run(go, ['build', '-o', program, join(ROOT, 'scripts/helm/render.go')], {
    env: { ...process.env, GO111MODULE: 'off', GOPATH: sprig.replace(SPRIG, '') },
  });
  const read = (name: string) => readFileSync(join(CHART, name), 'utf8');
  const { name: Name, version: Version, appVersion: AppVersion } = parse(read('Chart.yaml'));
  const validate = new Ajv().compile(JSON.parse(read('values.schema.json')));
  return {
    how: 'engine',
    async render(values) {
      const Values = merged(parse(read('values.yaml')), values);
      if (!validate(Values)) throw new Error(JSON.stringify(validate.errors));
      const Release = { Name: 'indexer', Namespace: 'ccv', Service: 'Helm' };
      const child = spawn(program, [CHART], { stdio: 'pipe' });
      const ended = once(child, 'exit');
      child.stdin.end(JSON.stringify({ Values, Release, Chart: { Name, Version, AppVersion } }));
      const [out, problems] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
      if (child.exitCode !== 0) throw new Error(problems);
      return manifestsOf(out.replace(/---\n# Source: templates\/NOTES\.txt\n[\s\S]*?(?=---\n|$)/, ''));
    },
    lint: async () => '',
  };
}

/** As Helm lays values over each other: maps are merged, all else is replaced. */
function merged(own: unknown, given: unknown): unknown {
  const isMap = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap(own) || !isMap(given)) return given;
  return { ...own, ...Object.fromEntries(Object.entries(given).map(([key, value]) => [key, merged(own[key], value)])) };
}

function manifestsOf(text: string): readonly Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors[0]) throw document.errors[0];
    const value = document.toJS() as Manifest | null;
    return value === null ? [] : [value];
  });
}
