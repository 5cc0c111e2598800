import { postgresOptions } from '../../app/backend-options.js';
import { backendSections, leadingDatabase } from '../../app/backend-sections.js';
import { IndexerError } from '../../core/errors.js';
import type { Shares } from '../../storage/lease-store.js';
import { createPostgresStorage } from '../../storage/postgres/postgres-storage.js';
import type { ConfigOptions } from '../config-option.js';
import { print, printJson } from '../storage/output.js';
import { runStorageCommand, type StorageCommand, unlessStopped } from '../storage/run-command.js';
import { textTable } from '../text-table.js';
import { adminUrlOf, askProcess, type ProcessStatus } from './process-status.js';
import { statusScreen } from './screen.js';

/** Options of the command `status`. */
export interface StatusOptions extends ConfigOptions {
  readonly json?: boolean;
  readonly watch?: boolean;
  /** The admin port of the process that is asked; default: that of the configuration. */
  readonly url?: string;
}

/** ms between two looks. */
const LOOK_MS = 1_000;

/**
 * Shows what the process at the admin port says of itself; where none answers, the workers and their leases as the
 * database has them. Once, or until a signal. @returns the exit code.
 */
export async function runStatus(options: StatusOptions): Promise<number> {
  return await runStorageCommand(options, async (command) => {
    const isScreen = options.watch === true && options.json !== true && process.stdout.isTTY;
    for (;;) {
      const shown = await look(options, command);
      if (isScreen) process.stdout.write('\x1b[2J\x1b[H');
      if (options.json === true) printJson(shown.json);
      else print(...shown.lines);
      if (options.watch !== true) return 0;
      await command.common.clock.sleep(LOOK_MS, command.signal);
    }
  });
}

interface Shown {
  readonly json: unknown;
  readonly lines: readonly string[];
}

async function look({ url }: StatusOptions, { config, common, signal }: StorageCommand): Promise<Shown> {
  const adminUrl = url ?? adminUrlOf(config);
  let unanswered: string;
  try {
    if (adminUrl === null)
      throw new IndexerError('ADMIN_PORT_UNKNOWN', 'ListenPort of [Admin] is 0: name the port with --url', false);
    const { raw, status } = await askProcess(adminUrl, config.Admin.BearerToken, signal);
    return {
      json: { namespace: config.Namespace, ...workersOf(status), process: raw },
      lines: statusScreen(status, adminUrl),
    };
  } catch (thrown) {
    // a process that is named is wanted, and nothing in its place
    if (!(thrown instanceof IndexerError) || url !== undefined) throw thrown;
    unanswered = thrown.message;
  }
  const section = leadingDatabase(backendSections(config));
  if (!section) throw new IndexerError('NO_DATABASE', `${unanswered}; no Postgres backend knows the workers`, false);
  const { pool, ...place } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
  const storage = createPostgresStorage({ ...place, pool: { ...pool, maxOpenConnections: 1 }, use: 'read' });
  try {
    const shares = await unlessStopped(signal, storage.leases.shares());
    return {
      json: { namespace: place.namespace, ...shares, process: null },
      lines: [`${unanswered}; the database tells:`, ...describe(shares, place.namespace)],
    };
  } finally {
    await storage.close();
  }
}

/** Workers as the database has them, of the answer of a process. */
function workersOf({ workers }: ProcessStatus): object {
  if (workers === null || !('members' in workers)) return { members: null, leases: null };
  const sinceMs = ({ since, ...rest }: { readonly since: string }) => ({ ...rest, sinceMs: Date.parse(since) });
  return { members: workers.members.map(sinceMs), leases: workers.leases.map(sinceMs) };
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
