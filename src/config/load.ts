import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { z } from 'zod';
import { toError } from '../core/errors.js';
import { secrets } from '../core/masker.js';
import { configSecrets } from './config-secrets.js';
import { crossChecks } from './cross-checks.js';
import { type AddedEntry, environmentTable, overlayTable, type TomlTable } from './overlay.js';
import { ConfigError, type ConfigProblem, toProblems } from './problems.js';
import { type Config, configSchema } from './schema.js';

/** Where a configuration comes from. */
export interface ConfigSources {
  readonly file: string;
  /** A second file laid over the first, for secrets. */
  readonly secretsFile?: string | undefined;
  /** Variables that start with `CCV_INDEXER__` are laid over both files. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads, merges and checks a configuration.
 * @throws ConfigError with every problem found, each with its path and what to write instead.
 */
export function loadConfig(sources: ConfigSources): Config {
  const added: AddedEntry[] = [];
  const told = (entry: AddedEntry) => added.push(entry);
  const base = readTable(sources.file);
  const withSecrets = sources.secretsFile ? overlayTable(base, readTable(sources.secretsFile), told) : base;
  const environment = environmentTable(sources.environment ?? {});
  if (environment.problems.length > 0) throw new ConfigError('the environment', environment.problems);
  const table = overlayTable(withSecrets, environment.table, told);
  // before anything is said about it
  secrets.add(configSecrets(table, sources.environment));
  try {
    return parseConfig(table, sources.file);
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
      message: `was added by the secrets file or the environment, because no entry is called ${JSON.stringify(name)} (there are ${known.join(', ')}): correct the name if one of those is meant`,
    }));
}

/**
 * Checks a configuration that is parsed already; `source` names it in errors.
 * @throws ConfigError
 */
export function parseConfig(table: TomlTable, source: string): Config {
  const result = configSchema.safeParse(table);
  if (!result.success) throw new ConfigError(source, toProblems(result.error.issues, knownKeysAt));
  const problems = crossChecks(result.data);
  if (problems.length > 0) throw new ConfigError(source, problems);
  return result.data;
}

function readTable(file: string): TomlTable {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    const reason =
      (thrown as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : toError(thrown).message;
    throw new ConfigError(
      file,
      [{ path: '(file)', message: `${reason}; see config/example.toml for one to start from` }],
      thrown,
    );
  }
  try {
    return parse(text);
  } catch (thrown) {
    if (!(thrown instanceof TomlError)) throw thrown;
    const [firstLine = 'not TOML'] = thrown.message.split('\n');
    throw new ConfigError(file, [{ path: `line ${thrown.line}, column ${thrown.column}`, message: firstLine }]);
  }
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
