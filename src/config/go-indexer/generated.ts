import { dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { isTableList, type TomlTable } from '../overlay.js';
import { ConfigError, type ConfigProblem, toProblems } from '../problems.js';
import { readTable } from '../read-table.js';
import { address, tables, text } from '../schema/fields.js';
import { similarWord } from '../similar-word.js';
import type { ExplainedKey } from './explained-key.js';

const generatedSchema = z.strictObject({
  Verifier: tables(
    z.strictObject({
      Name: text('committee-1'),
      IssuerAddresses: z.array(address(1, 255), { error: 'write a list of addresses' }).default([]),
    }),
    'Verifier',
  ).default([]),
});

/** A configuration with the addresses of its generated file. */
export interface Generated {
  /** Without `GeneratedConfigPath`. */
  readonly table: TomlTable;
  readonly problems: readonly ConfigProblem[];
  /** Names of the file that no verifier has. */
  readonly warnings: readonly ConfigProblem[];
  readonly explained: readonly ExplainedKey[];
}

/**
 * Adds the addresses of the file that `GeneratedConfigPath` names, seen from the configuration `file`, to the verifiers
 * of equal `Name`, each address once.
 */
export function mergeGenerated(given: TomlTable, file: string): Generated {
  const { GeneratedConfigPath: path, ...table } = given;
  if (path === undefined || path === '') return { table, problems: [], warnings: [], explained: [] };
  const fault = (message: string, at = '') => ({ path: `GeneratedConfigPath${at}`, message });
  const failed = (problems: readonly ConfigProblem[]): Generated => ({ table, problems, warnings: [], explained: [] });
  if (typeof path !== 'string') return failed([fault('write the path of a file')]);
  const generatedFile = isAbsolute(path) ? path : join(dirname(file), path);
  const inFile = (problems: readonly ConfigProblem[]) =>
    failed(problems.map((each) => fault(each.message, ` (${generatedFile}) ${each.path}`)));
  const read = readGenerated(generatedFile);
  if (read instanceof ConfigError) return inFile(read.problems);
  const result = generatedSchema.safeParse(read);
  if (!result.success)
    return inFile(
      toProblems(result.error.issues, (at) => (at.length === 0 ? ['Verifier'] : ['Name', 'IssuerAddresses'])),
    );
  const added = new Map<string, string[]>();
  for (const { Name, IssuerAddresses } of result.data.Verifier)
    added.set(Name, [...(added.get(Name) ?? []), ...IssuerAddresses]);
  const verifiers = isTableList(table['Verifier']) ? table['Verifier'] : [];
  const names = verifiers.flatMap(({ Name }) => (typeof Name === 'string' ? [Name] : []));
  const unmatched = [...added.keys()].filter((name) => !names.includes(name));
  const merged = verifiers.map((verifier) => withAddresses(verifier, added.get(String(verifier['Name']))));
  const count = names.filter((name) => added.has(name)).length;
  return {
    table: verifiers.length === 0 ? table : { ...table, Verifier: merged },
    problems: [],
    warnings: unmatched.map((name) => fault(unmatchedName(name, generatedFile, names))),
    explained: [
      {
        path: 'GeneratedConfigPath',
        value: JSON.stringify(path),
        became: 'Verifier[].IssuerAddresses',
        note: `addresses of ${count} of ${verifiers.length} verifiers, each once`,
      },
    ],
  };
}

function readGenerated(file: string): TomlTable | ConfigError {
  try {
    return readTable(file, 'generated');
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown;
    throw thrown;
  }
}

/** The addresses of a verifier and further ones, doubles in whatever case removed. */
function withAddresses(verifier: TomlTable, more: readonly string[] | undefined): TomlTable {
  const own = verifier['IssuerAddresses'] ?? [];
  if (more === undefined || !Array.isArray(own)) return verifier;
  const seen = new Set<unknown>();
  const all = [...own, ...more].filter((each: unknown) => {
    const key = typeof each === 'string' ? each.toLowerCase() : each;
    return !seen.has(key) && seen.add(key);
  });
  return { ...verifier, IssuerAddresses: all };
}

function unmatchedName(name: string, file: string, names: readonly string[]): string {
  const meant = similarWord(name, names);
  const known = names.length === 0 ? 'none has a Name' : `there are ${names.join(', ')}`;
  return (
    `${file} has addresses for ${JSON.stringify(name)}, and no [[Verifier]] has that Name ` +
    `(${meant === null ? known : `did you mean ${JSON.stringify(meant)}?`}): they are not used`
  );
}
