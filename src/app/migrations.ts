import type { Config } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import { createCommon } from '../core/common.js';
import { IndexerError, toError } from '../core/errors.js';
import { StorageUnavailableError } from '../model/storage-errors.js';
import { describeWait, type MigrationWait } from '../storage/postgres/migrate/migration-run.js';
import {
  type MigrationOptions,
  type MigrationStatus,
  migrate,
  migrationStatus,
  type PendingMigration,
} from '../storage/postgres/migrate/migrations.js';
import { postgresOptions } from './backend-options.js';
import { backendSections, type NamedSection, openedSections, type StorageUse } from './backend-sections.js';

const UP = "run 'ccv-indexer migrate up', or start with --migrate";

/**
 * Makes sure that every Postgres backend that the process opens has the schema of this version, migrating it first when
 * `apply` is set. A backend that is not required may be away: it is caught up later.
 * @throws IndexerError naming the backend and the command to run.
 */
export async function ensureMigrated(
  config: Config,
  common: Common,
  { apply, use, remedy = UP }: { readonly apply: boolean; readonly use: StorageUse; readonly remedy?: string },
): Promise<void> {
  const opened = targets(openedSections(config, use), config, common);
  const hasRequired = opened.some(({ required }) => required);
  for (const target of opened) {
    const status = await prepare(target, apply).catch((thrown: unknown) => {
      // the only ones there are lead, whatever they are called
      if (target.required || !hasRequired || !(thrown instanceof StorageUnavailableError)) throw named(target, thrown);
      common.log.warn({ backend: target.backend, err: thrown }, 'an optional database is away: starting without it');
      return null;
    });
    if (status === null) continue;
    const { pending, unknown } = status;
    if (pending.length + unknown.length > 0)
      throw new IndexerError(
        'SCHEMA_NOT_CURRENT',
        unknown.length > 0
          ? `schema ${target.namespace} of backend ${target.backend} was made by a newer version: run that version`
          : `schema ${target.namespace} of backend ${target.backend} lacks ${pending.length} migrations: ${remedy}`,
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
      const { connection, namespace } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
      const { Name: backend, Required = true } = section;
      const isMoving = config.Migration?.From === backend || config.Migration?.To === backend;
      return { backend, required: Required && !isMoving, connection, namespace, log: common.log };
    });
}

/** Brings one backend up to date, and tells on standard error of sessions that it waits for. */
export async function bringUp(target: Target): Promise<readonly PendingMigration[]> {
  const onWait = (wait: MigrationWait) => void process.stderr.write(`${target.backend}: ${describeWait(wait)}\n`);
  return await migrate({ ...target, onWait }).catch((thrown: unknown) => {
    throw named(target, thrown);
  });
}

/** Brings one backend up to date and names the applied migrations. */
export async function migrateUp(target: Target): Promise<void> {
  const applied = await bringUp(target);
  const names = applied.map(({ id, name }) => `${id} ${name}`).join(', ');
  process.stdout.write(`${target.backend}: ${applied.length === 0 ? 'up to date' : `applied ${names}`}\n`);
}

/** How one backend stands. */
export async function statusOf(target: Target): Promise<BackendMigrationStatus> {
  const status = await migrationStatus(target).catch((thrown: unknown) => {
    throw named(target, thrown);
  });
  return { backend: target.backend, ...status };
}

/** A failure with the name that the backend has in the configuration. */
function named({ backend, namespace }: Target, thrown: unknown): IndexerError {
  const cause = toError(thrown);
  const { code, retryable } = cause instanceof IndexerError ? cause : { code: 'STORAGE_FAILURE', retryable: false };
  const message = `schema ${namespace} of backend ${backend} could not be checked or migrated`;
  return new IndexerError(code, message, retryable, { cause });
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
