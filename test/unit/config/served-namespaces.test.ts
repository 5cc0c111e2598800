import { parse, stringify, type TomlTable } from 'smol-toml';
import { expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.js';
import { ConfigError } from '../../../src/config/problems.js';

const POSTGRES = { URI: 'postgresql://localhost/warm' };
const WARM: TomlTable = { Name: 'warm', Type: 'postgres', Postgres: POSTGRES };
const NEW: TomlTable = { Name: 'new', Type: 'postgres', Postgres: { URI: 'postgresql://localhost/new' } };

/** The problems of an API with these namespaces. */
function problemsOf(namespaces: readonly string[], backends: readonly TomlTable[], more: TomlTable = {}): string[] {
  const table = { API: { Namespaces: [...namespaces] }, Storage: { Sink: { Storages: [...backends] } }, ...more };
  try {
    parseConfig(parse(stringify(table)), 'test.toml');
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return thrown.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

test('other namespaces may stand beside the own one, which may have a schema of another name', () => {
  expect(problemsOf(['ccv', 'ccv_test'], [WARM])).toEqual([]);
  expect(problemsOf(['ccv', 'ccv_test'], [{ ...WARM, Postgres: { ...POSTGRES, Schema: 'ccv_new' } }])).toEqual([]);
});

test.each<[string, readonly string[], readonly TomlTable[], TomlTable, string]>([
  ['a name twice', ['a', 'a'], [WARM], {}, 'API.Namespaces[1]: "a" is taken by'],
  ['no name', ['A-b'], [WARM], {}, 'API.Namespaces[0]: write up to 48 of a-z'],
  ['memory alone', ['a'], [{ Name: 'hot', Type: 'memory' }], {}, 'API.Namespaces: memory holds only'],
  ['a move', ['a'], [WARM, NEW], { Migration: { From: 'warm', To: 'new' } }, 'API.Namespaces: a process that follows'],
  [
    'the schema of its own namespace',
    ['ccv_new'],
    [{ ...WARM, Postgres: { ...POSTGRES, Schema: 'ccv_new' } }],
    {},
    'API.Namespaces[0]: is the Schema of namespace ccv',
  ],
])('%s is refused', (_name, namespaces, backends, more, problem) => {
  expect(problemsOf(namespaces, backends, more)).toEqual([expect.stringContaining(problem)]);
});
