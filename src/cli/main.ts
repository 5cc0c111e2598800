#!/usr/bin/env node
import { CommanderError } from 'commander';
import { describeFailure } from './failure.js';
import { createProgram } from './program.js';

try {
  await createProgram().parseAsync(process.argv);
} catch (thrown) {
  // commander has printed its own message and usage already
  if (!(thrown instanceof CommanderError)) process.stderr.write(`${describeFailure(thrown)}\n`);
  process.exitCode = thrown instanceof CommanderError ? thrown.exitCode : 1;
}
