import { Command } from 'commander';
import { versionLine } from '../app/version.js';
import { chainCommand } from './chain.js';
import { completionCommand } from './completion.js';
import { configCommand } from './config-check.js';
import { doctorCommand } from './doctor.js';
import { inspectCommand } from './inspect.js';
import { migrateCommand } from './migrate.js';
import { migrationCommand } from './migration.js';
import { namespaceCommand } from './namespace.js';
import { replayCommand } from './replay.js';
import { apiCommand, startCommand, workerCommand } from './start.js';
import { statusCommand } from './status.js';
import { storageCommand } from './storage.js';

/** The whole command line. Errors are thrown, so that `main` alone decides on the exit code. */
export function createProgram(): Command {
  const program = new Command('ccv-indexer')
    .description('Finds CCIP messages, collects their verifications, keeps them in tiers and serves them over HTTP.')
    .version(versionLine(), '-V, --version')
    .exitOverride()
    .showHelpAfterError('(add --help to see how the command is used)')
    .addHelpText(
      'after',
      `
Start here:
  $ ccv-indexer config init                         write a first configuration, by questions or from options
  $ ccv-indexer config check -c indexer.toml        what is wrong with a configuration, all at once
  $ ccv-indexer migrate up -c indexer.toml          bring the database's schema up to date
  $ ccv-indexer start -c indexer.toml               index and answer in one process
  $ ccv-indexer worker … / ccv-indexer api …        or in separate ones, any number of each
  $ ccv-indexer status -c indexer.toml              which workers are there, and who owns which source
  $ ccv-indexer storage status -c indexer.toml      what each tier covers and holds
  $ ccv-indexer namespace list -c indexer.toml      which namespaces there are; create or drop one
  $ ccv-indexer doctor -c indexer.toml              what is wrong, and what to do about it
  $ ccv-indexer migration --help                    move to another database without stopping
  $ ccv-indexer inspect <message id>                what every part knows of one message
  $ ccv-indexer chain resume <chain> --from <block>  go on after a chain halted
  $ ccv-indexer replay --help                       read messages, blocks or entries again`,
    );
  for (const command of [
    startCommand(),
    workerCommand(),
    apiCommand(),
    migrateCommand(),
    statusCommand(),
    storageCommand(),
    namespaceCommand(),
    migrationCommand(),
    doctorCommand(),
    inspectCommand(),
    chainCommand(),
    replayCommand(),
    configCommand(),
    completionCommand(),
  ]) {
    program.addCommand(command.copyInheritedSettings(program));
    for (const child of command.commands) child.copyInheritedSettings(program);
  }
  return program;
}
