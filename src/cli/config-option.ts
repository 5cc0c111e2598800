import { existsSync } from 'node:fs';
import { type Command, Option } from 'commander';

/** Values of `--config` and `--secrets`. */
export interface ConfigOptions {
  readonly config?: string;
  readonly secrets?: string;
}

/** The files of a configuration. */
export interface ConfigFiles {
  readonly file: string;
  readonly secretsFile?: string | undefined;
}

/** Adds `--config` and `--secrets` to a command. */
export function withConfigOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '-c, --config <file>',
        'configuration file (TOML; default: INDEXER_CONFIG_PATH, else "indexer.toml", else "config.toml")',
      ).env('CCV_INDEXER_CONFIG'),
    )
    .addOption(
      new Option(
        '-s, --secrets <file>',
        'second file laid over the first, for secrets (default: INDEXER_SECRETS_PATH, else "secrets.toml" where the ' +
          'first comes from INDEXER_CONFIG_PATH or is the "config.toml" of the default)',
      ).env('CCV_INDEXER_SECRETS'),
    );
}

/**
 * The files that the options name, else those that a Go indexer started here would read. `indexer.toml` goes before its
 * `config.toml`, and has no secrets file that is not named.
 */
export function configFiles(
  { config, secrets }: ConfigOptions,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  exists: (file: string) => boolean = existsSync,
): ConfigFiles {
  const isGoFileAlone = !exists('indexer.toml') && exists('config.toml');
  const ofGo = environment['INDEXER_CONFIG_PATH'] || (isGoFileAlone ? 'config.toml' : undefined);
  const isGo = config === undefined && ofGo !== undefined;
  const beside = isGo && exists('secrets.toml') ? 'secrets.toml' : undefined;
  return {
    file: config ?? ofGo ?? 'indexer.toml',
    secretsFile: secrets ?? (environment['INDEXER_SECRETS_PATH'] || beside),
  };
}
