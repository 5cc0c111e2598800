import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { PostgresConnection } from '../../devnet/postgres/embedded-postgres.js';

/** The database that a process starts over. */
export interface LoadedWish {
  readonly connection: PostgresConnection;
  readonly namespace: string;
  /** Verifier results that it holds, each a position. */
  readonly records: number;
}

/** A process with all records in memory; bytes and times of it. */
export interface Loaded {
  /** Until it answers: from Postgres, while memory is filled. */
  readonly startedMs: number;
  /** Until memory holds everything. */
  readonly warmMs: number;
  /** Counts that were told meanwhile, and the slowest. */
  readonly answered: number;
  readonly slowestMs: number;
  readonly cpuUs: number;
  /** Resident set when memory was full, before garbage was collected. */
  readonly loadedRss: number;
  /** Machine code and what V8 never changes. */
  readonly code: number;
  readonly before: NodeJS.MemoryUsage;
  /** After garbage was collected. */
  readonly after: NodeJS.MemoryUsage;
}

/** Starts memory in front of Postgres in a process of its own; resolves when that has ended, with its connections. */
export async function loadInProcess(wish: LoadedWish, heapMb?: number): Promise<Loaded> {
  const limit = heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`];
  const child = fork(fileURLToPath(new URL('./loaded-process.js', import.meta.url)), {
    execArgv: ['--expose-gc', '--enable-source-maps', ...limit],
  });
  return await new Promise((resolve, reject) => {
    let told: Loaded | null = null;
    child.once('message', (loaded: Loaded) => {
      told = loaded;
    });
    child.once('exit', (code, signal) => {
      if (told) resolve(told);
      else reject(new Error(`the loaded process ended with ${signal ?? code}`));
    });
    child.send(wish);
  });
}
