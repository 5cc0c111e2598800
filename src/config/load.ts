import { z } from 'zod';
import { secrets } from '../core/masker.js';
import { crossChecks } from './checks/cross-checks.js';
import { proxyProblems } from './checks/proxy-problems.js';
import { fileWarnings } from './checks/secret-warnings.js';
import { configWarnings } from './checks/warnings.js';
import { configSecrets } from './config-secrets.js';
import { withFoundValue } from './found-value.js';
import type { ExplainedKey } from './go-indexer/explained-key.js';
import { mergeGenerated } from './go-indexer/generated.js';
import { goKeysBelow } from './go-indexer/known-keys.js';
import { goNotices, translateGoKeys } from './go-indexer/translate.js';
import { type AddedEntry, environmentTable, overlayTable, type TomlTable } from './overlay.js';
import { placeholders } from './placeholders.js';
import { ConfigError, type ConfigProblem, formatPath, toProblems } from './problems.js';
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

/** A usable configuration, with remarks on it. */
export interface CheckedConfig {
  readonly config: Config;
  /** Values that work and are surely not meant. */
  readonly warnings: readonly ConfigProblem[];
  /** Keys of the Go indexer without a meaning here. */
  readonly notices: readonly ConfigProblem[];
  /** Every key of the Go indexer, with its place here. */
  readonly explained: readonly ExplainedKey[];
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
  const misplaced: AddedEntry[] = [];
  const base = readTable(sources.file);
  const over = sources.secretsFile ? readTable(sources.secretsFile, 'secrets') : {};
  const environment = environmentTable(sources.environment ?? {});
  const withSecrets = overlayTable(base, over, (entry) => (entry.isPlace ? misplaced : added).push(entry));
  const table = overlayTable(withSecrets, environment.table, (entry) => entry.isPlace || added.push(entry));
  // before anything is said about it
  secrets.add(configSecrets(table, sources.environment));
  if (environment.problems.length > 0) throw new ConfigError('the environment', environment.problems);
  try {
    const generated = mergeGenerated(table, sources.file);
    const before = [...misplaced.map(outOfRange), ...generated.problems];
    const { config, explained, notices } = parseTable(generated.table, sources.file, before);
    const unreachable = proxyProblems(config, sources.environment ?? {});
    if (unreachable.length > 0) throw new ConfigError('the environment', unreachable);
    const files = [{ file: sources.file, table: base }];
    if (sources.secretsFile) files.push({ file: sources.secretsFile, table: over });
    const warnings = [...generated.warnings, ...configWarnings(config, table), ...fileWarnings(files)];
    return {
      config,
      warnings: warnings.map((warning) => secrets.value(withFoundValue(warning, table))),
      notices: secrets.value(notices),
      explained: secrets.value([...generated.explained, ...explained]),
    };
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

/** An entry of the secrets file for a place that its list does not have. */
function outOfRange({ path, name, count }: AddedEntry): ConfigProblem {
  const list = path.replace(/\[\d+\]$/, '');
  const places = count === 0 ? 'none' : count === 1 ? 'one, of place 0' : `${count}, of places 0 to ${count - 1}`;
  return {
    path: `${list}.${name}`,
    message: `is in the secrets file, and the configuration has ${places}: correct the place`,
  };
}

/**
 * Checks a configuration that is parsed already; `source` names it in errors.
 * @throws ConfigError
 */
export function parseConfig(table: TomlTable, source: string): Config {
  return parseTable(table, source, []).config;
}

/** `before`: problems that are known already. */
function parseTable(
  table: TomlTable,
  source: string,
  before: readonly ConfigProblem[],
): Pick<CheckedConfig, 'config' | 'notices' | 'explained'> {
  secrets.add(configSecrets(table));
  const left = [...before, ...placeholders(table)];
  const translation = translateGoKeys(table);
  const result = configSchema.safeParse(translation.table);
  const found = result.success ? crossChecks(result.data) : toProblems(result.error.issues, knownKeysAt);
  // a value with a variable left in it is told as that alone, whatever else it then is
  const others = [...translation.problems, ...found].filter(({ path }) => left.every((each) => each.path !== path));
  const problems = [...left, ...others].map((problem) => withFoundValue(problem, table));
  if (problems.length > 0 || !result.success) throw new ConfigError(source, problems);
  return { config: result.data, notices: goNotices(translation.explained), explained: translation.explained };
}

/** JSON schema of the input, walked to list the keys that are known at a path, those of the Go indexer with them. */
let schemaTree: SchemaNode | undefined;

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
}

function knownKeysAt(path: readonly PropertyKey[]): readonly string[] {
  schemaTree ??= z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as SchemaNode;
  let node: SchemaNode | undefined = schemaTree;
  for (const part of path) node = typeof part === 'number' ? node?.items : node?.properties?.[String(part)];
  const pattern = formatPath(path).replace(/\[\d+\]/g, '[]');
  return [...new Set([...Object.keys(node?.properties ?? {}), ...goKeysBelow(path.length === 0 ? '' : pattern)])];
}
