import { expect, test } from 'vitest';
import { describeFailure } from '../../../src/cli/failure.js';
import { IndexerError } from '../../../src/core/errors.js';

test('a failure is told with its causes, once each, what to do and its code', () => {
  const refused = Object.assign(new Error('UnknownError'), { name: 'NoSuchBucket' });
  const missing = new IndexerError('STORAGE_FAILURE', 'storage warm failed', false, {
    cause: new Error('storage warm failed', { cause: refused }),
    details: { nextStep: 'create it' },
  });
  const lines = describeFailure(new IndexerError('STORAGE_FAILURE', 'backend warm', true, { cause: missing }));
  expect(lines.split('\n')).toEqual([
    'error: backend warm',
    '  because: storage warm failed',
    '  because: NoSuchBucket',
    '  what to do: create it',
    '  (STORAGE_FAILURE, may work when tried again)',
  ]);
});

test('what is no error of ours shows where it came from', () => {
  expect(describeFailure(new TypeError('x is not a function'))).toMatch(
    /^error: x is not a function\nTypeError.*\n +at /,
  );
});
