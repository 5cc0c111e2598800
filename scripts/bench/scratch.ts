import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Names the directory that everything a run writes is below; set by the run for its benchmarks. */
const VARIABLE = 'CCV_BENCH_DIRECTORY';

/** A run's directory. */
export interface Scratch {
  /** For the processes of the benchmarks. */
  readonly environment: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

/** Makes the directory of a run. Files of a benchmark go with it, however it ends. */
export async function makeScratch(): Promise<Scratch> {
  const directory = await mkdtemp(join(tmpdir(), 'ccv-bench-'));
  // the database server runs under another account when we are root
  await chmod(directory, 0o711);
  return {
    environment: { [VARIABLE]: directory },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** A new directory in that of the run. Its maker removes it; the run would, at its end. */
export async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(scratchDirectory(), 'part-'));
  await chmod(directory, 0o711);
  return directory;
}

/** Where a run writes. */
export function scratchDirectory(): string {
  return process.env[VARIABLE] ?? tmpdir();
}
