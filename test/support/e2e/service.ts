import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify, type TomlTable } from 'smol-toml';
import { type CliProcess, startCli } from './cli.js';

/** A directory that the server's account can pass through, too. */
export function e2eDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'ccv-e2e-'));
  chmodSync(path, 0o711);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** What every configuration of these tests has: hot and warm, ports chosen by the system, logs to read by machine. */
export function hotAndWarm(options: {
  readonly namespace: string;
  readonly uri: string;
  readonly chains?: readonly TomlTable[];
  readonly verifiers?: readonly TomlTable[];
  readonly memory?: TomlTable;
}): TomlTable {
  return {
    Namespace: options.namespace,
    Chain: [...(options.chains ?? [])],
    Verifier: [...(options.verifiers ?? [])],
    Scheduler: { TickerInterval: 21, BaseDelay: 100, MaxDelay: 1_000 },
    API: { ListenAddress: '127.0.0.1', ListenPort: 0 },
    Admin: { ListenAddress: '127.0.0.1', ListenPort: 0 },
    Log: { Level: 'info', Format: 'json' },
    Storage: {
      Strategy: 'sink',
      Sink: {
        Storages: [
          {
            Name: 'hot',
            Type: 'memory',
            ReadCondition: { Type: 'recent', LookbackWindowSeconds: 3_600 },
            Memory: { TTL: 3_600, MaxSize: 50_000, CleanupInterval: 1, ...options.memory },
          },
          { Name: 'warm', Type: 'postgres', Postgres: { URI: options.uri } },
        ],
      },
    },
  };
}

/** Writes a configuration file and returns its path. */
export function writeConfig(directory: string, name: string, config: TomlTable): string {
  const file = join(directory, name);
  writeFileSync(file, stringify(config));
  return file;
}

/** A running `start`, `worker` or `api`. */
export interface RunningService {
  readonly cli: CliProcess;
  /** Empty for a worker. */
  readonly apiUrl: string;
  readonly adminUrl: string;
}

/** Starts a service and resolves when it says that it has started. */
export async function startServiceProcess(
  role: 'start' | 'worker' | 'api',
  configFile: string,
  ...options: readonly string[]
): Promise<RunningService> {
  return await serviceOf(startCli([role, '--config', configFile, ...options]));
}

/** Resolves when the process says that it has started. */
export async function serviceOf(cli: CliProcess): Promise<RunningService> {
  const [line] = await cli.printed(/^\{.*"msg":"started".*\}$/m);
  const { api, admin } = JSON.parse(line) as { api: string | null; admin: string };
  return { cli, apiUrl: api ?? '', adminUrl: admin };
}
