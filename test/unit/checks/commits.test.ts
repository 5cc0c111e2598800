import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changelogProblem } from '../../../scripts/checks/changelog.js';
import { commitProblems, subjectFault } from '../../../scripts/checks/commit-subjects.js';

describe('the subject of a commit', () => {
  it.each(['Move the status of a chain to its watch', 'Process a batch at once', 'Bring lost commits back'])(
    'may be: %s',
    (subject) => expect(subjectFault(subject)).toBeNull(),
  );

  it.each([
    ['x'.repeat(73).replace('x', 'X'), 'has 73 characters of at most 72'],
    ['Test: a promise', 'has a prefix'],
    ['README, bench: new figures', 'has a prefix'],
    ['move a file', 'begins in lower case'],
    ['Move a file.', 'ends in a full stop'],
    ['Moved a file', "begins with 'Moved'"],
    ['Moves a file', "begins with 'Moves'"],
    ['Moving a file', "begins with 'Moving'"],
  ])('may not be: %s', (subject, fault) => expect(subjectFault(subject)).toContain(fault));
});

describe('a branch', () => {
  let repository: string;
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { stdio: 'pipe' });
  const commit = (file: string, message: string) => {
    mkdirSync(join(repository, 'src'), { recursive: true });
    writeFileSync(join(repository, file), message);
    git('add', '-A');
    git('commit', '-m', message);
  };

  beforeEach(async () => {
    repository = await mkdtemp(join(tmpdir(), 'commits-'));
    git('init', '-b', 'main');
    commit('src/a.ts', 'Old: words of before.');
    git('update-ref', 'refs/remotes/origin/main', 'HEAD');
  });
  afterEach(() => rm(repository, { recursive: true }));

  it('is checked from where it left main', () => {
    expect(commitProblems(repository)).toEqual([]);
    commit('README.md', 'readme');
    expect(commitProblems(repository)).toEqual([expect.stringMatching(/^\w+ readme: begins in lower case/)]);
  });

  it('is checked since the last release', () => {
    git('tag', 'v1.0.0');
    git('update-ref', '-d', 'refs/remotes/origin/main');
    commit('README.md', 'readme');
    expect(commitProblems(repository)).toHaveLength(1);
  });

  it('that changes src has an entry in the changelog, or says that there is nothing to tell', () => {
    commit('README.md', 'Say more');
    commit('src/b.ts', 'Move a file\n\nChangelog: none');
    expect(changelogProblem(repository)).toBeNull();
    commit('src/a.ts', 'Answer twice as fast');
    expect(changelogProblem(repository)).toMatch(/^\w+ Answer twice as fast: changes src: say under Unreleased/);
    commit('CHANGELOG.md', 'Tell that answers are faster');
    expect(changelogProblem(repository)).toBeNull();
  });

  it('without a history passes', () => {
    git('update-ref', '-d', 'refs/remotes/origin/main');
    expect(commitProblems(repository)).toEqual([]);
    expect(changelogProblem(repository)).toBeNull();
    expect(commitProblems(tmpdir())).toEqual([]);
  });
});
