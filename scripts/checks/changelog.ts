import { git } from './git.js';

/**
 * The problem of a branch that changes `src` and says nothing of it in the changelog: null without one. A commit whose
 * message has the line `Changelog: none` changes nothing for the reader, and counts for nothing. No history: no
 * problem.
 */
export function changelogProblem(repository: string, base = 'origin/main'): string | null {
  const from = git(repository, 'merge-base', 'HEAD', base)?.trim();
  if (!from) return null;
  const told = git(repository, 'diff', '--name-only', `${from}..HEAD`, '--', 'CHANGELOG.md') ?? '';
  if (told.trim() !== '') return null;
  const format = '--format=%x00%h %s%x01%B%x01';
  const commits = (
    git(repository, 'log', '--no-merges', '--no-renames', format, '--name-only', `${from}..HEAD`, '--', 'src') ?? ''
  )
    .split('\0')
    .filter((commit) => commit !== '');
  const silent = commits.find((commit) => !/^Changelog: none$/m.test(commit.split('\x01')[1] ?? ''));
  if (silent === undefined) return null;
  const [subject] = silent.split('\x01');
  return (
    `${subject}: changes src: say under Unreleased in CHANGELOG.md what it means for users, or end its message with ` +
    `'Changelog: none'`
  );
}
