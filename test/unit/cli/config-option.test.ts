import { describe, expect, it } from 'vitest';
import { type ConfigOptions, configFiles } from '../../../src/cli/config-option.js';

describe('the files of a configuration', () => {
  it.each<[string, ConfigOptions, Record<string, string>, string[], string, string | undefined]>([
    ['ours, when nothing is there', {}, {}, [], 'indexer.toml', undefined],
    [
      'ours before that of a Go indexer',
      {},
      {},
      ['indexer.toml', 'config.toml', 'secrets.toml'],
      'indexer.toml',
      undefined,
    ],
    ['that of a Go indexer alone', {}, {}, ['config.toml'], 'config.toml', undefined],
    ['that of a Go indexer, with secrets', {}, {}, ['config.toml', 'secrets.toml'], 'config.toml', 'secrets.toml'],
    [
      'those of its environment',
      {},
      { INDEXER_CONFIG_PATH: '/etc/i.toml', INDEXER_SECRETS_PATH: '/etc/s.toml' },
      ['indexer.toml', 'secrets.toml'],
      '/etc/i.toml',
      '/etc/s.toml',
    ],
    [
      'its environment without secrets',
      {},
      { INDEXER_CONFIG_PATH: '/etc/i.toml' },
      ['secrets.toml'],
      '/etc/i.toml',
      'secrets.toml',
    ],
    [
      'those that are named, before all',
      { config: 'a.toml', secrets: 'b.toml' },
      { INDEXER_CONFIG_PATH: '/etc/i.toml', INDEXER_SECRETS_PATH: '/etc/s.toml' },
      ['config.toml', 'secrets.toml'],
      'a.toml',
      'b.toml',
    ],
    [
      'one that is named, without secrets',
      { config: 'config.toml' },
      {},
      ['config.toml', 'secrets.toml'],
      'config.toml',
      undefined,
    ],
  ])('%s', (_what, options, environment, present, file, secretsFile) => {
    expect(configFiles(options, environment, (name) => present.includes(name))).toEqual({ file, secretsFile });
  });
});
