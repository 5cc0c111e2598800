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
import { postgresOptions } from './backend-options.js';
import { backendSections, type NamedSection, openedSections, type StorageUse } from './backend-sections.js';

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

/** Every Postgres backend of a configuration. */
export function allTargets(config: Config): Target[] {
  return targets(backendSections(config), config, createCommon());
}

async function prepare(target: Target, apply: boolean): Promise<MigrationStatus> {
  if (apply) await migrate(target);
  return await migrationStatus(target);
}

/** How the schema of a backend stands. */
export type BackendMigrationStatus = MigrationStatus & { readonly backend: string };

/** A Postgres backend and how to reach it. */
export type Target = MigrationOptions & { readonly backend: string; readonly required: boolean };

function targets(sections: readonly NamedSection[], config: Config, common: Common): Target[] {
  return sections
    .filter(({ Type }) => Type === 'postgres')
    .map((section) => {
      const { connection } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
      const { Name: backend, Required: required = true } = section;
      return { backend, required, connection, namespace: config.Namespace, log: common.log };
    });
}

/** Brings one backend up to date and says what was applied. */
export async function migrateUp(target: Target): Promise<void> {
  const applied = await migrate(target);
  const names = applied.map(({ id, name }) => `${id} ${name}`).join(', ');
  process.stdout.write(`${target.backend}: ${applied.length === 0 ? 'up to date' : `applied ${names}`}\n`);
}

/** How one backend stands. */
export async function statusOf(target: Target): Promise<BackendMigrationStatus> {
  return { backend: target.backend, ...(await migrationStatus(target)) };
}

/** The lines that `migrate status` prints for one backend. */
export function describeStatus(status: BackendMigrationStatus): string {
  const line = (mark: string, id: number, name: string) => `  ${mark} ${String(id).padStart(4, '0')} ${name}\n`;
  return [
    `${status.backend} (schema ${status.namespace})\n`,
    ...status.applied.map(({ id, name }) => line('applied', id, name)),
    ...status.pending.map(({ id, name }) => line('pending', id, name)),
    ...status.unknown.map(({ id, name }) => line('newer  ', id, name)),
  ].join('');
}
