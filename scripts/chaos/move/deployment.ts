import { setTimeout as delay } from 'node:timers/promises';
import type { TomlTable } from 'smol-toml';
import {
  hotAndWarm,
  type RunningService,
  startServiceProcess,
  writeConfig,
} from '../../../test/support/e2e/service.js';
import type { Replica } from './clients.js';

/** A process of the built program that dies and comes back. */
export interface MortalProcess extends Replica {
  /** SIGKILL; it is started again by `start`. */
  kill(): void;
  /** Stands still, as on a host that is starved, and goes on as if nothing had been. */
  pause(pausedMs: number): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A process of a role; `start` begins its first life. */
export function mortalProcess(role: 'worker' | 'api', configFile: string): MortalProcess {
  let service: RunningService | null = null;
  return {
    url: () => service?.apiUrl ?? null,
    kill() {
      service?.cli.kill('SIGKILL');
      service = null;
    },
    async pause(pausedMs) {
      const paused = service;
      paused?.cli.kill('SIGSTOP');
      await delay(pausedMs);
      paused?.cli.kill('SIGCONT');
    },
    async start() {
      service = await startServiceProcess(role, configFile);
    },
    async stop() {
      await service?.cli.stop();
      service = null;
    },
  };
}

/** Kills a process and starts it again. */
export async function killProcess(victim: MortalProcess, deadMs: number): Promise<void> {
  victim.kill();
  await delay(deadMs);
  await victim.start();
}

/** The configuration of all processes of a move: two databases, a memory that holds little, files below a directory. */
export function writeMoveConfig(
  directory: string,
  name: string,
  options: {
    readonly old: string;
    readonly new: string;
    readonly chains: readonly TomlTable[];
    readonly verifiers: readonly TomlTable[];
    readonly staleMs: number;
    readonly rowsPerSecond: number;
    /** Age at which records leave the databases, s; 0: never. */
    readonly retention: number;
  },
): string {
  const { chains, verifiers, staleMs, rowsPerSecond, retention } = options;
  const table = hotAndWarm({ namespace: 'moving', uri: options.old, chains, verifiers });
  const postgres = (Name: string, URI: string) => ({
    ...{ Name, Type: 'postgres' },
    Postgres: { URI, ConnectTimeout: 2, Retention: retention },
  });
  return writeConfig(directory, name, {
    ...table,
    // as long as a message may wait for its results it is not removed
    Scheduler: { ...(table['Scheduler'] as TomlTable), VerificationVisibilityWindow: retention || 3_600 },
    Storage: {
      Strategy: 'sink',
      Sink: {
        PruneInterval: 2,
        Storages: [
          { Name: 'hot', Type: 'memory', Memory: { MaxSize: 500, CleanupInterval: 1, MaxStaleness: staleMs } },
          postgres('old', options.old),
          postgres('new', options.new),
          { Name: 'cold', Type: 's3', S3: { Directory: `${directory}/cold`, FlushInterval: 5 } },
        ],
      },
    },
    Migration: { From: 'old', To: 'new', RowsPerSecond: rowsPerSecond },
  });
}
