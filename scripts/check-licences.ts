/** Fails when a production dependency has a licence that is not on the list. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type LockedPackage, licenceProblems } from './checks/licences.js';

const lock = JSON.parse(readFileSync(resolve(import.meta.dirname, '../package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
const problems = licenceProblems(lock.packages);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
