/**
 * Fails when a file of `src` imports against the directions of the rooms, or when files import each other in a circle.
 */
import { resolve } from 'node:path';
import { importProblems } from './checks/imports.js';
import { KNOWN_EXCEPTIONS, ROOMS } from './checks/rooms.js';

const problems = importProblems(resolve(import.meta.dirname, '../src'), ROOMS, KNOWN_EXCEPTIONS);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
