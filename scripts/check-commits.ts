/**
 * Fails when a new commit's subject is not as CONTRIBUTING.md asks, or when a change of `src` is not in the changelog.
 */
import { resolve } from 'node:path';
import { changelogProblem } from './checks/changelog.js';
import { commitProblems } from './checks/commit-subjects.js';

const repository = resolve(import.meta.dirname, '..');
const changelog = changelogProblem(repository);
const problems = [...commitProblems(repository), ...(changelog === null ? [] : [changelog])];
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
