import { type CheckedConfig, checkConfig } from '../../config/load.js';
import type { Config } from '../../config/schema/schema.js';
import { type ConfigOptions, configFiles } from '../config-option.js';

/**
 * The configuration that the options name, with the environment laid over it.
 * @throws ConfigError
 */
export function readConfig(options: ConfigOptions): Config {
  return readCheckedConfig(options).config;
}

/** Like `readConfig`, with remarks. */
export function readCheckedConfig(options: ConfigOptions): CheckedConfig {
  return checkConfig({ ...configFiles(options), environment: process.env });
}
