import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { Common } from '../../../src/core/common.js';
import { DevnetProcessError } from './devnet-errors.js';

/*
 * A node writes its state file in place when it ends. After kill -9 of its parent it ends by itself, and needs a
 * moment, in which a new process must not read half a file. So the node's pid is kept beside the state while it runs:
 *
 *   <state>.pid absent            the node was stopped, its state is current
 *   present, process alive        the node is still writing: wait for it
 *   present, dead, state newer    our process died, the node saved its state: current
 *   present, dead, state older    the node itself was killed: the state is that of its last start
 */

/** State of the file before the node starts from it. */
export type SavedState = 'none' | 'current' | 'stale';

const WAIT_MS = 60_000;
const POLL_MS = 20;

function pidFile(stateFile: string): string {
  return `${stateFile}.pid`;
}

/**
 * Waits until no node writes `stateFile` any more. `stale`: the last node was killed before it could save, and records
 * about the chain that were stored since are of blocks that no longer exist.
 * @throws DevnetProcessError when a node still runs on it after a minute.
 */
export async function savedState(common: Common, stateFile: string): Promise<SavedState> {
  const { clock } = common;
  const pid = await readPid(stateFile);
  const deadlineMs = clock.monotonicMs() + WAIT_MS;
  while (pid !== null && (await isAnvil(pid))) {
    if (clock.monotonicMs() > deadlineMs)
      throw new DevnetProcessError(`process ${pid} still uses ${stateFile}: stop it, or choose another data directory`);
    await clock.sleep(POLL_MS);
  }
  const savedMs = await modifiedMs(stateFile);
  if (savedMs === null) return pid === null ? 'none' : 'stale';
  const startedMs = await modifiedMs(pidFile(stateFile));
  return startedMs === null || savedMs > startedMs ? 'current' : 'stale';
}

/** Notes that the node `pid` now runs on `stateFile`. */
export async function noteRunning(stateFile: string, pid: number): Promise<void> {
  await writeFile(pidFile(stateFile), `${pid}\n`);
}

/** Notes that the node ended and has saved its state. */
export async function noteStopped(stateFile: string): Promise<void> {
  await rm(pidFile(stateFile), { force: true });
}

async function readPid(stateFile: string): Promise<number | null> {
  try {
    const pid = Number(await readFile(pidFile(stateFile), 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw thrown;
  }
}

async function modifiedMs(path: string): Promise<number | null> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw thrown;
  }
}

/** On Linux by its name, since the pid may be another's by now; a zombie has nothing left to write. */
async function isAnvil(pid: number): Promise<boolean> {
  if (process.platform === 'linux') {
    try {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      return /^Name:\s+anvil$/m.test(status) && !/^State:\s+Z/m.test(status);
    } catch (thrown) {
      if (isMissing(thrown)) return false;
      throw thrown;
    }
  }
  try {
    return process.kill(pid, 0);
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The file, or the process behind it, is not there. */
function isMissing(thrown: unknown): boolean {
  const { code } = thrown as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ESRCH';
}
