import { type Command, Option } from 'commander';
import { type CheckedConfig, checkConfig } from '../config/load.js';
import type { Config } from '../config/schema/schema.js';

/** Values of `--config` and `--secrets`. */
export interface ConfigOptions {
  readonly config: string;
  readonly secrets?: string;
}

/** Adds `--config` and `--secrets` to a command. */
export function withConfigOptions(command: Command): Command {
  return command
    .addOption(
      new Option('-c, --config <file>', 'configuration file (TOML)').env('CCV_INDEXER_CONFIG').default('indexer.toml'),
    )
    .addOption(
      new Option('-s, --secrets <file>', 'second file laid over the first, for secrets').env('CCV_INDEXER_SECRETS'),
    );
}

/**
 * The configuration that the options name, with the environment laid over it.
 * @throws ConfigError
 */
export function readConfig(options: ConfigOptions): Config {
  return readCheckedConfig(options).config;
}

/** Like `readConfig`, with warnings. */
export function readCheckedConfig(options: ConfigOptions): CheckedConfig {
  return checkConfig({ file: options.config, secretsFile: options.secrets, environment: process.env });
}
