import { constants } from 'node:os';
import { type Command, CommanderError } from 'commander';
import { systemClock } from '../core/clock.js';
import { describeFailure } from './failure.js';

/** After everything ended: how long connections to a silent peer may wait for its goodbye. */
const GOODBYE_MS = 2_000;

/**
 * Runs a command line to its end and sets the exit code: 0, commander's own for wrong usage, or 1 after an error. The
 * error is printed without secrets. The process ends at most `GOODBYE_MS` later.
 */
export async function runProgram(program: Command): Promise<void> {
  guardProcess();
  if (process.pid === 1) endAtSignals();
  try {
    await program.parseAsync(process.argv);
  } catch (thrown) {
    // commander has printed its own message and usage already
    if (!(thrown instanceof CommanderError)) process.stderr.write(`${describeFailure(thrown)}\n`);
    process.exitCode = thrown instanceof CommanderError ? thrown.exitCode : 1;
  }
  // this timer itself keeps no process alive
  systemClock.after(GOODBYE_MS, () => process.exit());
}

/** The process outlives a closed pipe and a closed terminal, and prints an uncaught error without secrets. */
function guardProcess(): void {
  // a reader of stdout (head, less) may leave before its end
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  // a terminal that went away takes no more words: the process drains without them
  process.stderr.on('error', () => undefined);
  // the client for S3 is pinned: the needs of its later versions are no news to an operator
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  // Node prints an uncaught error as it is, secrets and all
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${describeFailure(error)}\n`);
    process.exit(1);
  });
}

/** The kernel drops signals that the first process of a container does not listen for: here they end the command. */
function endAtSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
    });
}
