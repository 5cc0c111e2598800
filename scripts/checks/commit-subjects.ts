import { git } from './git.js';

const MOST_CHARACTERS = 72;
/** Words that look like another form of a verb and are none. */
const IMPERATIVES =
  /^(Address|Bless|Bring|Compress|Cross|Discuss|Dismiss|Embed|Express|Feed|Focus|Guess|Need|Pass|Press|Process|Seed|Shed|Speed|Spring|String|Stress|Bus|Toss|Miss)$/;

/** Why a commit's subject is not as it should be, with the next step; null: it is. */
export function subjectFault(subject: string): string | null {
  const [first = ''] = subject.split(' ');
  if ([...subject].length > MOST_CHARACTERS)
    return `has ${[...subject].length} characters of at most ${MOST_CHARACTERS}: move the rest to the body`;
  if (/^[\w ,-]+: /.test(subject)) return 'has a prefix: say what the commit does, where it does it is in its files';
  if (!/^\p{Lu}/u.test(subject))
    return 'begins in lower case: begin with a verb in the imperative and a capital letter';
  if (/[.…!]$/.test(subject)) return 'ends in a full stop: remove it';
  if (/(ed|ing|s)$/.test(first) && !IMPERATIVES.test(first))
    return `begins with '${first}': begin with a verb in the imperative`;
  return null;
}

/** One line for each commit without a proper subject since the last release, or else since main. No history: none. */
export function commitProblems(repository: string): string[] {
  const from = lastRelease(repository) ?? mergeBase(repository);
  if (from === null) return [];
  const log = git(repository, 'log', '--no-merges', '--format=%h %s', `${from}..HEAD`) ?? '';
  return log
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      const fault = subjectFault(line.slice(line.indexOf(' ') + 1));
      return fault === null ? [] : [`${line}: ${fault}`];
    });
}

const lastRelease = (repository: string) => git(repository, 'describe', '--tags', '--abbrev=0', '--match', 'v*');
const mergeBase = (repository: string) => git(repository, 'merge-base', 'HEAD', 'origin/main');
