import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { allChecks, CHECK_NAMES } from '../../../src/app/doctor/checks.js';
import { NOT_CHECKED } from '../../../src/app/doctor/examine.js';
import { ROOT } from '../../support/pages.js';

const page = readFileSync(join(ROOT, 'src/app/doctor/README.md'), 'utf8');

it('the page of the doctor has every check and every kind of finding, as the code has them', async () => {
  const checks = await allChecks();
  expect(checks.map(({ name }) => name)).toEqual(CHECK_NAMES);
  const row = ([id, { severity, meaning, next }]: [string, { severity: string; meaning: string; next: string }]) =>
    `| \`${id}\` | ${severity} | ${meaning} | ${next} |`;
  const sections = [{ name: 'every check', about: 'its parts', kinds: NOT_CHECKED }, ...checks].flatMap(
    ({ name, about, kinds }) => [
      `**${name}**: ${about}`,
      '',
      '| id | severity | meaning | next |',
      '|---|---|---|---|',
      ...Object.entries(kinds).map(row),
      '',
    ],
  );
  const [, found = ''] = page.split('from the usual one here where the evidence says why.\n\n');
  expect(found).toBe(`${sections.join('\n').trimEnd()}\n`);
});

it('no two checks have a finding of one id', async () => {
  const ids = (await allChecks()).flatMap(({ kinds }) => Object.keys(kinds));
  expect(ids.filter((id, at) => ids.indexOf(id) < at)).toEqual([]);
});
