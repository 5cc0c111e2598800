import { postgresOptions } from '../../app/backend-options.js';
import { backendSections, leadingDatabase } from '../../app/backend-sections.js';
import { IndexerError } from '../../core/errors.js';
import type { Shares } from '../../storage/lease-store.js';
import { createPostgresStorage } from '../../storage/postgres/postgres-storage.js';
import type { ConfigOptions } from '../config-option.js';
import { print, printJson } from '../storage/output.js';
import { runStorageCommand, unlessStopped } from '../storage/run-command.js';
import { textTable } from '../text-table.js';

/** Options of the command `status`. */
export interface StatusOptions extends ConfigOptions {
  readonly json?: boolean;
}

/** Shows the workers and their leases, as the database has them. @returns the exit code. */
export async function runStatus(options: StatusOptions): Promise<number> {
  return await runStorageCommand(options, async ({ config, common, signal }) => {
    const section = leadingDatabase(backendSections(config));
    if (!section)
      throw new IndexerError('NO_DATABASE', 'no Postgres backend is configured: one process works alone', false);
    const { pool, ...place } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
    const storage = createPostgresStorage({ ...place, pool: { ...pool, maxOpenConnections: 1 }, use: 'read' });
    try {
      const shares = await unlessStopped(signal, storage.leases.shares());
      if (options.json === true) printJson({ namespace: place.namespace, ...shares });
      else print(...describe(shares, place.namespace));
      return 0;
    } finally {
      await storage.close();
    }
  });
}

function describe({ members, leases }: Shares, namespace: string): readonly string[] {
  const countOf = (member: string) => String(leases.filter(({ owner }) => owner === member).length);
  return [
    `workers of namespace ${namespace}: ${members.length}`,
    ...textTable(
      members.map(({ member, sinceMs }) => [member, `owns ${countOf(member)}`, `since ${timeOf(sinceMs)}`]),
      '  ',
    ),
    `sources: ${leases.length}`,
    ...textTable(
      leases.map(({ source, owner, epoch, sinceMs }) => [
        ...[source, owner ?? 'nobody', `epoch ${epoch}`, `since ${timeOf(sinceMs)}`],
      ]),
      '  ',
    ),
  ];
}

function timeOf(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
