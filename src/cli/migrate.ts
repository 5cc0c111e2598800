import { Command } from 'commander';
import { type ConfigOptions, withConfigOptions } from './config-option.js';

interface StatusOptions extends ConfigOptions {
  readonly json?: boolean;
}

/** `ccv-indexer migrate` */
export function migrateCommand(): Command {
  const command = new Command('migrate')
    .description('the schema of every Postgres backend in the configuration')
    .addHelpText(
      'after',
      `
  $ ccv-indexer migrate status -c indexer.toml
  $ ccv-indexer migrate up -c indexer.toml -s secrets.toml`,
    );
  withConfigOptions(command.command('up'))
    .description('bring the schema up to date; safe to run from several machines at once')
    .addHelpText(
      'after',
      `
Each namespace is a schema of its own and is created when missing; the database itself must exist.

  $ ccv-indexer migrate up -c indexer.toml -s secrets.toml`,
    )
    .action(async (options: ConfigOptions) => {
      const { readConfig } = await import('./config/read-config.js');
      const { allTargets, migrateUp } = await import('../app/migrations.js');
      for (const target of allTargets(readConfig(options))) await migrateUp(target);
    });
  withConfigOptions(command.command('status'))
    .description('show which migrations are applied and which are pending')
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Exit code 0: every schema is up to date. 1: something is pending, or newer than this version.

  $ ccv-indexer migrate status -c indexer.toml --json`,
    )
    .action(async (options: StatusOptions) => {
      const { readConfig } = await import('./config/read-config.js');
      const { allTargets, describeStatus, statusOf } = await import('../app/migrations.js');
      const statuses = [];
      for (const target of allTargets(readConfig(options))) statuses.push(await statusOf(target));
      process.stdout.write(
        options.json === true ? `${JSON.stringify(statuses, null, 2)}\n` : statuses.map(describeStatus).join(''),
      );
      if (statuses.some(({ pending, unknown }) => pending.length + unknown.length > 0)) process.exitCode = 1;
    });
  return command;
}
