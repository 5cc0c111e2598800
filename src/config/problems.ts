import type { z } from 'zod';
import { IndexerError } from '../core/errors.js';

/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** Where, as the file spells it, for example `Chain[0].Selector`. */
  readonly path: string;
  /** What is wrong and what to write instead. */
  readonly message: string;
}

/** The configuration cannot be used; `problems` lists everything that is wrong with it, not only the first. */
export class ConfigError extends IndexerError {
  readonly problems: readonly ConfigProblem[];
  constructor(source: string, problems: readonly ConfigProblem[], cause?: unknown) {
    const lines = problems.map((problem) => `  ${problem.path}: ${problem.message}`);
    const noun = problems.length === 1 ? 'problem' : 'problems';
    super('CONFIG_INVALID', `${source} has ${problems.length} ${noun}:\n${lines.join('\n')}`, false, { cause });
    this.problems = problems;
  }
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

function unknownKey(key: string, known: readonly string[]): string {
  const nearest = known
    .map((candidate) => ({ candidate, distance: editDistance(key.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  if (nearest && nearest.distance <= Math.max(1, Math.floor(key.length / 3)))
    return `unknown key; did you mean ${nearest.candidate}?`;
  return known.length > 0 ? `unknown key; known here: ${known.join(', ')}` : 'unknown key';
}

/** Levenshtein distance, by rows. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
