import { expect, it } from 'vitest';
import { licenceProblems } from '../../../scripts/checks/licences.js';

it('names each package that is given on under another licence than those of the list', () => {
  const packages = {
    '': { version: '0.1.0' },
    'node_modules/fine': { version: '1.0.0', license: 'MIT' },
    'node_modules/for-tests': { version: '1.0.0', license: 'BUSL-1.1', dev: true },
    'node_modules/stand-in': { resolved: 'file:test/support/empty-package' },
    'test/support/empty-package': { version: '1.0.0' },
    'node_modules/a/node_modules/@scope/copyleft': { version: '2.0.0', license: 'GPL-3.0-only' },
    'node_modules/silent': { version: '3.0.0' },
  };
  const allowed = 'is not one of 0BSD, Apache-2.0, BSD-2-Clause, BSD-3-Clause, BlueOak-1.0.0, ISC, MIT';
  expect(licenceProblems(packages)).toEqual([
    `@scope/copyleft 2.0.0: licence GPL-3.0-only ${allowed}`,
    `silent 3.0.0: licence unknown ${allowed}`,
  ]);
});
