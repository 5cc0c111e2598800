import { runProgram } from '../../src/cli/run-program.js';
import { createDevnetProgram } from './program.js';

await runProgram(createDevnetProgram());
