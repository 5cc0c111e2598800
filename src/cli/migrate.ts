import { Command } from 'commander';
import type { Config } from '../config/schema.js';
import type { Common } from '../core/common.js';
import { createCommon } from '../core/common.js';
import { IndexerError } from '../core/errors.js';
import { StorageUnavailableError } from '../storage/errors.js';
import {
  type MigrationOptions,
  type MigrationStatus,
  migrate,
  migrationStatus,
} from '../storage/postgres/migrations.js';
import { type ConfigOptions, readConfig, withConfigOptions } from './config-option.js';
import {
  backendSections,
  type NamedSection,
  openedSections,
  postgresOptions,
  type StorageUse,
} from './open-storage.js';

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
      for (const target of allTargets(options)) await up(target);
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
      const statuses = [];
      for (const target of allTargets(options))
        statuses.push({ backend: target.backend, ...(await migrationStatus(target)) });
      process.stdout.write(
        options.json === true ? `${JSON.stringify(statuses, null, 2)}\n` : statuses.map(describe).join(''),
      );
      if (statuses.some(({ pending, unknown }) => pending.length + unknown.length > 0)) process.exitCode = 1;
    });
  return command;
}

/**
 * Makes sure that every Postgres backend that the process opens has the schema of this version, migrating it first when
 * `apply` is set. One that need not hold what is written (`Required = false`) may be away: it is caught up later.
 * @throws IndexerError naming the backend and the command to run.
 */
export async function ensureMigrated(
  config: Config,
  common: Common,
  { apply, use }: { readonly apply: boolean; readonly use: StorageUse },
): Promise<void> {
  const opened = targets(openedSections(config, use), config, common);
  const hasRequired = opened.some(({ required }) => required);
  for (const target of opened) {
    const status = await prepare(target, apply).catch((thrown: unknown) => {
      // the only ones there are lead, whatever they are called
      if (target.required || !hasRequired || !(thrown instanceof StorageUnavailableError)) throw thrown;
      common.log.warn({ backend: target.backend, err: thrown }, 'an optional database is away: starting without it');
      return null;
    });
    if (status === null) continue;
    const { pending, unknown } = status;
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

function allTargets(options: ConfigOptions): Target[] {
  const config = readConfig(options);
  return targets(backendSections(config), config, createCommon());
}

async function prepare(target: Target, apply: boolean): Promise<MigrationStatus> {
  if (apply) await migrate(target);
  return await migrationStatus(target);
}

type Target = MigrationOptions & { readonly backend: string; readonly required: boolean };

function targets(sections: readonly NamedSection[], config: Config, common: Common): Target[] {
  return sections
    .filter(({ Type }) => Type === 'postgres')
    .map((section) => {
      const { connection } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
      const { Name: backend, Required: required = true } = section;
      return { backend, required, connection, namespace: config.Namespace, log: common.log };
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
