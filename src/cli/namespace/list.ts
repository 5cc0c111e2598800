import { backendSections } from '../../app/backend-sections.js';
import { listNamespaces, type NamespaceList, type NamespaceThere } from '../../app/namespaces/list.js';
import type { Config } from '../../config/schema/schema.js';
import { formatBytes, formatCount, formatMs } from '../amounts.js';
import type { ConfigOptions } from '../config-option.js';
import { print, printJson } from '../storage/output.js';
import { runStorageCommand, unlessStopped } from '../storage/run-command.js';
import { wordTable } from '../text-table.js';

/** Options of `namespace list`. */
export interface ListOptions extends ConfigOptions {
  readonly json?: boolean;
}

/** Prints the namespaces of all backends. @returns the exit code: 1 when a backend could not be looked at. */
export async function list(options: ListOptions): Promise<number> {
  return await runStorageCommand(options, async ({ config, common, signal }) => {
    const found = await unlessStopped(signal, listNamespaces(config, common));
    if (options.json === true) printJson({ configured: config.Namespace, ...found });
    else print(...describe(found, config));
    return found.unreachable.length > 0 ? 1 : 0;
  });
}

function describe({ namespaces, unreachable }: NamespaceList, config: Config): string[] {
  const ordered = [...namespaces].sort((a, b) => (a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : 0));
  const lines = wordTable([
    ['namespace', 'backend', 'position', 'last commit', 'rows', 'size', 'schema', 'in use'],
    ...ordered.map((each) => [each.namespace, each.backend, ...cellsOf(each)]),
  ]);
  const named = [
    `the configuration names ${config.Namespace}`,
    ...backendSections(config).flatMap(({ Name, Postgres }) =>
      Postgres?.Schema === undefined ? [] : [`in backend ${Name} its schema is ${Postgres.Schema}`],
    ),
  ].join('; ');
  const away = unreachable.map(({ backend, message, code }) => `UNREACHABLE ${backend}: ${message} (${code})`);
  return [...(ordered.length === 0 ? ['there is no namespace'] : lines), named, ...away];
}

function cellsOf(each: NamespaceThere): string[] {
  if ('problem' in each) return [`${each.problem.message} (${each.problem.code})`];
  const { position, headMs, rows, isEstimate, bytes, files, schema, use } = each;
  return [
    formatCount(position),
    formatMs(headMs),
    `${isEstimate ? '~' : ''}${formatCount(rows)}`,
    `${formatBytes(bytes)}${files === undefined ? '' : ` in ${formatCount(files)} files`}`,
    schema ? versionOf(schema) : '-',
    use ? `${use.connections} connections, ${use.workers} workers` : '-',
  ];
}

function versionOf({ version, pending, newer }: NonNullable<(NamespaceThere & { problem?: never })['schema']>): string {
  if (newer > 0) return `${version}, of a newer version`;
  return pending > 0 ? `${version}, ${pending} migrations pending` : String(version);
}
