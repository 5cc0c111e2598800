#!/usr/bin/env node
import { CommanderError } from 'commander';
import { systemClock } from '../core/clock.js';
import { describeFailure } from './failure.js';
import { createProgram } from './program.js';

/** Everything has ended by now; only connections to who no longer answers may still wait for a goodbye. */
const GOODBYE_MS = 2_000;

// whoever reads our output (head, less) may leave before its end
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

// a terminal that went away takes no more words: the process drains without them
process.stderr.on('error', () => undefined);

// the client for S3 is pinned: what its later versions will need is no news to an operator
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

// Node would print what nobody caught as it is, secrets and all
process.on('uncaughtException', (error) => {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exit(1);
});

try {
  await createProgram().parseAsync(process.argv);
} catch (thrown) {
  // commander has printed its own message and usage already
  if (!(thrown instanceof CommanderError)) process.stderr.write(`${describeFailure(thrown)}\n`);
  process.exitCode = thrown instanceof CommanderError ? thrown.exitCode : 1;
}
// this timer itself keeps no process alive
systemClock.after(GOODBYE_MS, () => process.exit());
