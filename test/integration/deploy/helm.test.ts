import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { debianProgram } from '../../support/debian-program.js';
import { runCli } from '../../support/e2e/cli.js';
import { type ChartRenderer, type Manifest, openChartRenderer } from '../../support/helm/render-chart.js';
import { ROOT } from '../../support/pages.js';

const run = promisify(execFile);
const read = (path: string) => readFile(join(ROOT, path), 'utf8');
/** Where kinds have their types in the package `kubernetes-models`. */
const TYPED = ['v1', 'apps/v1', 'batch/v1', 'autoscaling/v2', 'policy/v1', 'networking.k8s.io/v1'];

/** The configuration of the compose file, for another object store: the chart has to set addresses and ports itself. */
let values: Record<string, unknown>;
let chart: ChartRenderer;
let scratch: string;
let all: readonly Manifest[];

const of = (kind: string, part = '', manifests = all): Manifest => {
  const found = manifests.filter((each) => each.kind === kind && each.metadata.name.endsWith(part));
  expect(found.length, `${kind} ${part}`).toBeGreaterThan(0);
  return found[0] as Manifest;
};
const pods = (manifests = all) =>
  manifests.flatMap((each) => (each['spec']?.template?.spec ? [each['spec'].template] : []));

// Debian's Go has to be installed where Helm is not
describe.runIf(process.getuid?.() === 0)('the chart', () => {
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'ccv-helm-'));
    chart = await openChartRenderer();
    const configuration = (await read('config/deploy/compose/indexer.toml')).replace(/^Listen.*$/gm, '');
    const labels = { release: 'prometheus' };
    values = {
      ...{
        configuration,
        image: { repository: 'registry.example.org/ccv-indexer' },
        environment: { NODE_OPTIONS: '' },
      },
      ...{ serviceMonitor: { enabled: true, labels }, prometheusRule: { enabled: true, labels } },
      ...{ dashboard: { enabled: true }, ingress: { enabled: true, host: 'ccip.example.org', tlsSecret: 'api-tls' } },
      ...{ podAnnotations: { team: 'ccip' }, tolerations: [{ key: 'spot', operator: 'Exists' }] },
      secrets: [
        { name: 'database', key: 'uri', path: 'Storage.Sink.Storages.warm.Postgres.URI' },
        { name: 'bucket', key: 'id', path: 'Storage.Sink.Storages.cold.S3.AccessKeyID' },
        { name: 'bucket', key: 'key', path: 'Storage.Sink.Storages.cold.S3.SecretAccessKey' },
        { name: 'admin', key: 'token', path: 'Admin.BearerToken' },
      ],
    };
    all = await chart.render(values);
  });
  afterAll(async () => {
    chart?.close();
    await rm(scratch, { recursive: true, force: true });
  });

  it('renders objects that have the fields of their kinds, and no others', async () => {
    expect(await chart.lint(values)).toBe('');
    const typed = all.filter(({ apiVersion }) => TYPED.includes(apiVersion));
    expect(typed.length).toBe(all.length - 2);
    await symlink(join(ROOT, 'node_modules'), join(scratch, 'node_modules'));
    expect(await typeErrors(typed)).toBe('');
    const { spec } = of('Deployment', '-api');
    const mistyped = [{ ...of('Deployment', '-api'), spec: { ...spec, replica: 1 } } as unknown as Manifest];
    expect(await typeErrors(mistyped)).toMatch(/known properties, and .*replica/);
  });

  /** The compiler's complaints about manifests as values of their kinds' types. */
  async function typeErrors(manifests: readonly Manifest[]): Promise<string> {
    const lines = manifests.map(
      ({ apiVersion, kind, ...rest }, index) =>
        `const _${index}: import('kubernetes-models/${apiVersion}').I${kind} = ${JSON.stringify({ apiVersion, kind, ...rest })};`,
    );
    const file = join(scratch, 'manifests.ts');
    await writeFile(file, lines.join('\n'));
    const options = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--skipLibCheck',
      '--types',
      '',
    ];
    return await run(join(ROOT, 'node_modules/.bin/tsc'), [...options, file]).then(
      () => '',
      (failure: { stdout: string }) => failure.stdout,
    );
  }

  it('gives every pod as few rights as there are', () => {
    expect(pods().length).toBe(3);
    for (const { spec } of pods()) {
      expect(spec).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } },
        terminationGracePeriodSeconds: 60,
      });
      for (const { securityContext, resources } of spec.containers) {
        expect(securityContext).toEqual({
          ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        });
        expect(resources).toMatchObject({
          requests: { cpu: expect.any(String) },
          limits: { memory: expect.any(String) },
        });
      }
    }
    expect(of('ServiceAccount')['automountServiceAccountToken']).toBe(false);
  });

  it('holds no secret: each is a key of a Secret that a value names, mounted where a variable says', () => {
    expect(all.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    const named = (values['secrets'] as { name: string; key: string; path: string }[]).map(
      ({ name, key }) => `${name}/${key}`,
    );
    for (const { spec } of pods()) {
      const { projected } = spec.volumes.find((volume: { name: string }) => volume.name === 'secrets');
      const files = projected.sources.map(
        (source: { secret: { name: string; items: { key: string; path: string }[] } }) => {
          const [item] = source.secret.items;
          expect(item?.path).toBe(`${source.secret.name}/${item?.key}`);
          return item?.path;
        },
      );
      expect(files).toEqual(named);
      const [{ env, volumeMounts }] = spec.containers;
      const { mountPath } = volumeMounts.find((mount: { name: string }) => mount.name === 'secrets');
      const variables = env.filter((variable: { name: string }) => variable.name.endsWith('_FILE'));
      expect(variables.map(({ value }: { value: string }) => value)).toEqual(
        named.map((path) => `${mountPath}/${path}`),
      );
      expect(env.filter((variable: object) => 'valueFrom' in variable)).toEqual([]);
    }
  });

  it('gives each process a configuration that the program takes, on ports that are probed', async () => {
    for (const ports of [
      { api: 8100, admin: 8101 },
      { api: 9100, admin: 9101 },
    ]) {
      const manifests = await chart.render({ ...values, ports });
      const { data } = of('ConfigMap', '', manifests);
      expect(of('ConfigMap', '-migrate', manifests)['data']).toEqual(data);
      const file = join(scratch, 'indexer.toml');
      await writeFile(file, data['indexer.toml']);
      for (const name of ['worker', 'api']) {
        const [container] = of('Deployment', `-${name}`, manifests)['spec'].template.spec.containers;
        expect(container).toMatchObject({ args: [name] });
        const checked = await runCli(['config', 'check', '-c', file], await environmentOf(container.env));
        expect(checked).toMatchObject({ code: 0, stdout: expect.stringContaining('is usable') });
        expect(checked.stdout).toContain(`api        0.0.0.0:${ports.api}, admin 0.0.0.0:${ports.admin}`);
        const numbers = Object.fromEntries(
          container.ports.map((port: { name: string; containerPort: number }) => [port.name, port.containerPort]),
        );
        expect(ports).toMatchObject(numbers);
        for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
          const { path, port } = container[probe].httpGet;
          expect(path).toBe(probe === 'readinessProbe' ? '/ready' : '/health');
          expect(numbers).toHaveProperty(port);
        }
      }
    }
  });

  /** Variables of a container, with files in place of mounted secrets. */
  async function environmentOf(env: readonly { name: string; value: string }[]): Promise<Record<string, string>> {
    await mkdir(join(scratch, 'secrets'), { recursive: true });
    const entries = env.map(async ({ name, value }) => {
      if (!name.endsWith('_FILE')) return [name, value];
      const file = join(scratch, 'secrets', name);
      await writeFile(file, name.includes('URI') ? 'postgresql://ccv:of-the-test@db/ccv' : 'c5d1f0'.repeat(6));
      return [name, file];
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  it('migrates in a hook that needs nothing of the chart that comes later', () => {
    const [job, configuration] = [of('Job', '-migrate'), of('ConfigMap', '-migrate')];
    const weight = ({ metadata }: Manifest) => Number(metadata.annotations?.['helm.sh/hook-weight']);
    for (const hook of [job, configuration])
      expect(hook.metadata.annotations?.['helm.sh/hook']).toBe('pre-install,pre-upgrade');
    expect(weight(configuration)).toBeLessThan(weight(job));
    const { spec } = job['spec'].template;
    expect(spec).toMatchObject({ restartPolicy: 'Never', containers: [{ args: ['migrate', 'up'] }] });
    expect(spec).not.toHaveProperty('serviceAccountName');
    expect(spec.volumes[0].configMap.name).toBe(configuration.metadata.name);
  });

  it('scales the API, and keeps it up while nodes are drained', async () => {
    const { spec } = of('HorizontalPodAutoscaler');
    const api = of('Deployment', '-api');
    expect(spec).toMatchObject({ scaleTargetRef: { name: api.metadata.name }, minReplicas: 2, maxReplicas: 10 });
    expect(api['spec']).not.toHaveProperty('replicas');
    expect(of('PodDisruptionBudget')['spec']).toEqual({ maxUnavailable: 1, selector: api['spec'].selector });
    const fixed = await chart.render({ ...values, api: { replicas: 3, autoscaling: { enabled: false } } });
    expect(of('Deployment', '-api', fixed)['spec'].replicas).toBe(3);
    expect(fixed.map(({ kind }) => kind)).not.toContain('HorizontalPodAutoscaler');
  });

  it('selects pods by labels that they have, in services, policies and monitors', () => {
    const [worker, api] = [of('Deployment', '-worker'), of('Deployment', '-api')];
    const labels = (manifest: Manifest) => manifest['spec'].template.metadata.labels;
    for (const deployment of [worker, api])
      expect(labels(deployment)).toMatchObject(deployment['spec'].selector.matchLabels);
    expect(labels(api)).toMatchObject(of('Service', '-api')['spec'].selector);
    expect(labels(worker)).not.toMatchObject(of('Service', '-api')['spec'].selector);
    const policy = of('NetworkPolicy')['spec'];
    const [open, guarded] = policy.ingress;
    expect([open, guarded]).toEqual([
      { ports: [{ port: 'api' }] },
      { ports: [{ port: 'admin' }], from: [{ namespaceSelector: expect.anything() }] },
    ]);
    for (const deployment of [worker, api]) {
      expect(labels(deployment)).toMatchObject(of('Service', '-admin')['spec'].selector);
      expect(labels(deployment)).toMatchObject(policy.podSelector.matchLabels);
    }
  });

  it('leads a host name to the service of the API alone', async () => {
    const { spec } = of('Ingress');
    const [{ host, http }] = spec.rules;
    expect([host, spec.tls]).toEqual(['ccip.example.org', [{ hosts: [host], secretName: 'api-tls' }]]);
    const api = of('Service', '-api');
    const service = { name: api.metadata.name, port: { name: api['spec'].ports[0].name } };
    expect(http.paths).toEqual([{ path: '/', pathType: 'Prefix', backend: { service } }]);
    const plain = await chart.render({
      ...values,
      ingress: { enabled: true, host: 'x', tlsSecret: '', className: 'nginx' },
    });
    expect(of('Ingress', '', plain)['spec']).toMatchObject({ ingressClassName: 'nginx', rules: [{ host: 'x' }] });
    expect(of('Ingress', '', plain)['spec']).not.toHaveProperty('tls');
    await expect(chart.render({ ...values, ingress: { enabled: true, host: '' } })).rejects.toThrow(
      'ingress.host: name',
    );
  });

  it('has Prometheus scrape the job of alerts and dashboard with the token, and brings the alerts', async () => {
    const [monitor, admin] = [of('ServiceMonitor'), of('Service', '-admin')];
    expect(admin.metadata.labels).toMatchObject(monitor['spec'].selector.matchLabels);
    expect(admin.metadata.labels[monitor['spec'].jobLabel]).toBe('ccv-indexer');
    expect(monitor['spec'].endpoints).toEqual([
      {
        port: admin['spec'].ports[0].name,
        interval: '15s',
        authorization: { credentials: { name: 'admin', key: 'token' } },
      },
    ]);
    const alerts = await read('config/deploy/prometheus/alerts.yml');
    expect(of('PrometheusRule')['spec']).toEqual(parse(alerts));
    const board = of('ConfigMap', '-dashboard');
    expect(board.metadata.labels).toMatchObject({ grafana_dashboard: '1' });
    const dashboard = await read('config/deploy/grafana/ccv-indexer.json');
    expect(board['data']).toEqual({ 'ccv-indexer.json': dashboard });
    const file = join(scratch, 'rules.yml');
    await writeFile(file, stringify(of('PrometheusRule')['spec']));
    const { stdout } = await run(await debianProgram('prometheus', '/usr/bin/promtool'), ['check', 'rules', file]);
    expect(stdout).toContain('SUCCESS');
  });

  it('refuses to be installed without image and configuration, and with values that it does not know', async () => {
    await expect(chart.render({ ...values, image: {} })).rejects.toThrow('image.repository: name your image');
    await expect(chart.render({ ...values, configuration: '' })).rejects.toThrow(
      '--set-file configuration=indexer.toml',
    );
    await expect(chart.render({ ...values, worker: { replica: 2 } })).rejects.toThrow(/additional ?properties/i);
    await expect(chart.render({ ...values, ports: { api: 80 } })).rejects.toThrow(/1,?024/);
  });
});

it('the page has every value, the chart the version of the program', async () => {
  const [page, own] = [
    await read('config/deploy/helm/ccv-indexer/README.md'),
    parse(await read('config/deploy/helm/ccv-indexer/values.yaml')),
  ];
  const [, table = ''] = /^## Values\n([\s\S]*?)\n- /m.exec(page) ?? [];
  const named = [...table.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([\w.]+)`/g)].map(([, name]) => name),
  );
  const WHOLE = /resources|annotations|labels|^(environment|nodeSelector|affinity)|From$/i;
  const pathsOf = (value: unknown, path: string): string[] =>
    typeof value !== 'object' || Array.isArray(value) || value === null || WHOLE.test(path)
      ? [path]
      : Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, path === '' ? key : `${path}.${key}`));
  expect(named.sort()).toEqual(pathsOf(own, '').sort());
  const { version, appVersion } = parse(await read('config/deploy/helm/ccv-indexer/Chart.yaml'));
  expect([version, appVersion]).toEqual(Array(2).fill(JSON.parse(await read('package.json')).version));
});
