import { vi } from 'vitest';
import { createProgram } from '../../../src/cli/program.js';

/** What a command did in this process. */
export interface CommandEnd {
  /** The exit code. */
  readonly code: number | string | null | undefined;
  /** What it threw; null after a code of 0. */
  readonly error: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process, to its end: a process of its own takes a second to start. */
export async function runHere(call: readonly string[]): Promise<CommandEnd> {
  const printed = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      printed[stream] += String(text);
      return true;
    }),
  );
  process.exitCode = 0;
  let error: unknown = null;
  try {
    await createProgram().parseAsync(['node', 'ccv-indexer', ...call]);
  } catch (thrown) {
    error = thrown;
  }
  // an error that is no end of the command line's own ends the process with 1
  const code = error === null ? process.exitCode : ((error as { exitCode?: number }).exitCode ?? 1);
  process.exitCode = undefined;
  for (const spy of spies) spy.mockRestore();
  return { code, error: code === 0 ? null : error, ...printed };
}
