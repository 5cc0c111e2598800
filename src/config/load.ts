import { z } from 'zod';
import { secrets } from '../core/masker.js';
import { crossChecks } from './checks/cross-checks.js';
import { proxyProblems } from './checks/proxy-problems.js';
import { fileWarnings } from './checks/secret-warnings.js';
import { configWarnings } from './checks/warnings.js';
import { configSecrets } from './config-secrets.js';
import { withFoundValue } from './found-value.js';
import { type AddedEntry, environmentTable, overlayTable, type TomlTable } from './overlay.js';
import { placeholders } from './placeholders.js';
import { ConfigError, type ConfigProblem, toProblems } from './problems.js';
import { readTable } from './read-table.js';
import { type Config, configSchema } from './schema/schema.js';

/** Where a configuration comes from. */
export interface ConfigSources {
  readonly file: string;
  /** A second file laid over the first, for secrets. */
  readonly secretsFile?: string | undefined;
  /** Variables that start with `CCV_INDEXER__` are laid over both files. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** A usable configuration, and warnings of values that are surely not meant. */
export interface CheckedConfig {
  readonly config: Config;
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Reads, merges and checks a configuration.
 * @throws ConfigError with every problem found, each with its path and the value to write.
 */
export function loadConfig(sources: ConfigSources): Config {
  return checkConfig(sources).config;
}

/** Like `loadConfig`, with warnings. @throws ConfigError */
export function checkConfig(sources: ConfigSources): CheckedConfig {
  const added: AddedEntry[] = [];
  const told = (entry: AddedEntry) => added.push(entry);
  const base = readTable(sources.file);
  const over = sources.secretsFile ? readTable(sources.secretsFile, 'secrets') : {};
  const environment = environmentTable(sources.environment ?? {});
  const table = overlayTable(overlayTable(base, over, told), environment.table, told);
  // before anything is said about it
  secrets.add(configSecrets(table, sources.environment));
  if (environment.problems.length > 0) throw new ConfigError('the environment', environment.problems);
  try {
    const config = parseConfig(table, sources.file);
    const unreachable = proxyProblems(config, sources.environment ?? {});
    if (unreachable.length > 0) throw new ConfigError('the environment', unreachable);
    const files = [{ file: sources.file, table: base }];
    if (sources.secretsFile) files.push({ file: sources.secretsFile, table: over });
    const warnings = [...configWarnings(config, table), ...fileWarnings(files)];
    return { config, warnings: warnings.map((warning) => secrets.value(withFoundValue(warning, table))) };
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    throw new ConfigError(sources.file, [...thrown.problems, ...mistyped(thrown.problems, added)]);
  }
}

/** Where a problem lies in an entry that is in no file as such: why it is there at all. */
function mistyped(problems: readonly ConfigProblem[], added: readonly AddedEntry[]): ConfigProblem[] {
  return added
    .filter((entry) => problems.some(({ path }) => path.startsWith(entry.path)))
    .map(({ path, name, known }) => ({
      path,
      message:
        `was added by the secrets file or the environment, because no entry is called ${JSON.stringify(name)} (there ` +
        `are ${known.join(', ')}): correct the name if one of those is meant`,
    }));
}

/**
 * Checks a configuration that is parsed already; `source` names it in errors.
 * @throws ConfigError
 */
export function parseConfig(table: TomlTable, source: string): Config {
  secrets.add(configSecrets(table));
  const left = placeholders(table);
  const result = configSchema.safeParse(table);
  const found = result.success ? crossChecks(result.data) : toProblems(result.error.issues, knownKeysAt);
  // a value with a variable left in it is told as that alone, whatever else it then is
  const others = found.filter(({ path }) => left.every((each) => each.path !== path));
  const problems = [...left, ...others].map((problem) => withFoundValue(problem, table));
  if (problems.length > 0 || !result.success) throw new ConfigError(source, problems);
  return result.data;
}

/** JSON schema of the input, walked to list the keys that are known at a path. */
const schemaTree = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as SchemaNode;

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
}

function knownKeysAt(path: readonly PropertyKey[]): readonly string[] {
  let node: SchemaNode | undefined = schemaTree;
  for (const part of path) node = typeof part === 'number' ? node?.items : node?.properties?.[String(part)];
  return Object.keys(node?.properties ?? {});
}
