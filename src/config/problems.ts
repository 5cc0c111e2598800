import type { z } from 'zod';
import { IndexerError } from '../core/errors.js';
import { secrets } from '../core/masker.js';
import { similarWord } from './similar-word.js';

/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** Where, as the file spells it, for example `Chain[0].Selector`. */
  readonly path: string;
  /** The fault and the value to write instead. */
  readonly message: string;
  /** The value at the path, without secrets; absent where there is none, or a whole table. */
  readonly found?: string;
}

/** The configuration cannot be used; `problems` lists everything that is wrong with it, not only the first. */
export class ConfigError extends IndexerError {
  readonly problems: readonly ConfigProblem[];
  constructor(source: string, problems: readonly ConfigProblem[], cause?: unknown) {
    const lines = problems.map((problem) => `  ${formatProblem(problem)}`);
    const noun = problems.length === 1 ? 'problem' : 'problems';
    super('CONFIG_INVALID', `${source} has ${problems.length} ${noun}:\n${lines.join('\n')}`, false, { cause });
    this.problems = problems.map((problem) => secrets.value(problem));
  }
}

/** `Chain[0].Selector: write … (found 5)` */
export function formatProblem({ path, message, found }: ConfigProblem): string {
  return `${path}: ${message}${found === undefined ? '' : ` (found ${found})`}`;
}

/** `['Chain', 0, 'Selector']` as `Chain[0].Selector`. */
export function formatPath(path: readonly PropertyKey[]): string {
  const text = path.reduce<string>(
    (joined, part) =>
      typeof part === 'number' ? `${joined}[${part}]` : joined ? `${joined}.${String(part)}` : String(part),
    '',
  );
  return text || '(top level)';
}

/** zod's issues in our words, unknown keys with the known key they resemble. */
export function toProblems(
  issues: readonly z.core.$ZodIssue[],
  knownKeysAt: (path: readonly PropertyKey[]) => readonly string[],
): ConfigProblem[] {
  return issues.flatMap((issue): ConfigProblem[] => {
    if (issue.code !== 'unrecognized_keys') {
      const path = formatPath(issue.path);
      const isNoTable = issue.code === 'invalid_type' && issue.expected === 'object';
      return [{ path, message: isNoTable ? `write a table here: [${path}] or { … }` : issue.message }];
    }
    const known = knownKeysAt(issue.path);
    return issue.keys.map((key) => ({ path: formatPath([...issue.path, key]), message: unknownKey(key, known) }));
  });
}

/** `unknown key; did you mean …?` */
export function unknownKey(key: string, known: readonly string[]): string {
  const meant = similarWord(key, known);
  if (meant !== null) return `unknown key; did you mean ${meant}?`;
  return known.length > 0 ? `unknown key; known here: ${known.join(', ')}` : 'unknown key';
}
