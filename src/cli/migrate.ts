import { Command } from 'commander';
import type { Config } from '../config/schema.js';
import type { Common } from '../core/common.js';
import { createCommon } from '../core/common.js';
import { IndexerError } from '../core/errors.js';
import { type MigrationOptions, migrate, migrationStatus } from '../storage/postgres/migrations.js';
import { type ConfigOptions, readConfig, withConfigOptions } from './config-option.js';
import { backendSections, postgresOptions } from './open-storage.js';

interface StatusOptions extends ConfigOptions {
  readonly json?: boolean;
}

/** `ccv-indexer migrate` */
export function migrateCommand(): Command {
  const command = new Command('migrate').description('the schema of every Postgres backend in the configuration');
  withConfigOptions(command.command('up'))
    .description('bring the schema up to date; safe to run from several machines at once')
    .addHelpText(
      'after',
      '\nEach namespace is a schema of its own and is created when missing; the database itself must exist.',
    )
    .action(async (options: ConfigOptions) => {
      for (const target of targets(readConfig(options), createCommon())) await up(target);
    });
  withConfigOptions(command.command('status'))
    .description('show which migrations are applied and which are pending')
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      '\nExit code 0: every schema is up to date. 1: something is pending, or newer than this version.',
    )
    .action(async (options: StatusOptions) => {
      const statuses = [];
      for (const target of targets(readConfig(options), createCommon()))
        statuses.push({ backend: target.backend, ...(await migrationStatus(target)) });
      process.stdout.write(
        options.json === true ? `${JSON.stringify(statuses, null, 2)}\n` : statuses.map(describe).join(''),
      );
      if (statuses.some(({ pending, unknown }) => pending.length + unknown.length > 0)) process.exitCode = 1;
    });
  return command;
}

/**
 * Makes sure that every Postgres backend has the schema of this version, migrating it first when `apply` is set.
 * @throws IndexerError naming the backend and the command to run.
 */
export async function ensureMigrated(config: Config, common: Common, apply: boolean): Promise<void> {
  for (const target of targets(config, common)) {
    if (apply) await migrate(target);
    const { pending, unknown } = await migrationStatus(target);
    if (pending.length + unknown.length > 0)
      throw new IndexerError(
        'SCHEMA_NOT_CURRENT',
        unknown.length > 0
          ? `the schema of backend ${target.backend} was made by a newer version: run that version`
          : `the schema of backend ${target.backend} lacks ${pending.length} migrations: run 'ccv-indexer migrate up', or start with --migrate`,
        false,
      );
  }
}

type Target = MigrationOptions & { readonly backend: string };

function targets(config: Config, common: Common): Target[] {
  return backendSections(config)
    .filter(({ Type }) => Type === 'postgres')
    .map((section) => {
      const { connection } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
      return { backend: section.Name, connection, namespace: config.Namespace, log: common.log };
    });
}

async function up(target: Target): Promise<void> {
  const applied = await migrate(target);
  const names = applied.map(({ id, name }) => `${id} ${name}`).join(', ');
  process.stdout.write(`${target.backend}: ${applied.length === 0 ? 'up to date' : `applied ${names}`}\n`);
}

function describe(status: Awaited<ReturnType<typeof migrationStatus>> & { readonly backend: string }): string {
  const line = (mark: string, id: number, name: string) => `  ${mark} ${String(id).padStart(4, '0')} ${name}\n`;
  return [
    `${status.backend} (schema ${status.namespace})\n`,
    ...status.applied.map(({ id, name }) => line('applied', id, name)),
    ...status.pending.map(({ id, name }) => line('pending', id, name)),
    ...status.unknown.map(({ id, name }) => line('newer  ', id, name)),
  ].join('');
}
