/**
 * Arguments of Node.js for processes that tests run in or start: most of their functions run too seldom to be worth V8's
 * optimizing compiler, which takes a tenth of the CPU time of a test, and a sixth of that of a command. Later versions of
 * Node.js refuse the flag.
 */
export const SELDOM_OPTIMIZED: readonly string[] = process.versions.node.startsWith('20.')
  ? ['--interrupt-budget=500000']
  : [];
