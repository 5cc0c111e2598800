import { expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.js';
import { ConfigError } from '../../../src/config/problems.js';

function problemsOf(Origins: readonly string[]): string[] {
  try {
    const Storage = { Strategy: 'single', Single: { Type: 's3', S3: { Directory: '/srv/cold' } } };
    parseConfig({ API: { CORS: { Origins } }, Storage }, 'test.toml');
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return thrown.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

test.each([[['https://app.example.org', 'http://localhost:3000']], [['*']]])(
  '%j are origins that a browser sends',
  (origins) => {
    expect(problemsOf(origins)).toEqual([]);
  },
);

test.each([
  'app.example.org',
  'https://app.example.org/',
  'https://App.example.org',
  'https://app.example.org:443',
  'null',
])('the origin %s, which no browser sends, is refused', (origin) => {
  expect(problemsOf([origin])).toEqual([
    expect.stringContaining(
      'API.CORS.Origins[0]: write an origin without a path, for example "https://app.example.org", or "*" for all',
    ),
  ]);
});

test('every origin beside one is refused', () => {
  expect(problemsOf(['*', 'https://app.example.org'])).toEqual([
    expect.stringContaining('API.CORS.Origins: write "*" alone'),
  ]);
});
