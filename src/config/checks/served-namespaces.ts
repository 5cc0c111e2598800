import type { ConfigProblem } from '../problems.js';
import type { Config } from '../schema/schema.js';
import type { SinkBackendSection } from '../schema/storage-schema.js';
import { unique } from './unique.js';

/** The namespaces that an API answers for beside its own. */
export function servedNamespaces(config: Config): ConfigProblem[] {
  const { Namespaces } = config.API;
  if (Namespaces.length === 0) return [];
  const { Strategy, Single, Sink } = config.Storage;
  const backends: readonly SinkBackendSection[] = Strategy === 'sink' ? (Sink?.Storages ?? []) : Single ? [Single] : [];
  const path = 'API.Namespaces';
  const problems = unique(Namespaces, path, '', (name) => name);
  if (!backends.some((each) => each.Type !== 'memory' && each.ReadCondition?.Type !== 'never'))
    problems.push({
      path,
      message: 'memory holds only what this process fills: add a backend that lasts, or leave it out',
    });
  if (config.Migration)
    problems.push({
      path,
      message:
        'a process that follows a move answers for its own namespace alone: leave it out until the move is over, or ' +
        'run another process with the Namespace of each',
    });
  for (const [index, name] of Namespaces.entries())
    if (name !== config.Namespace && backends.some(({ Postgres }) => Postgres?.Schema === name))
      problems.push({
        path: `${path}[${index}]`,
        message: `is the Schema of namespace ${config.Namespace} in a backend: the same records would have two names`,
      });
  return problems;
}
