import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../../support/pages.js';

interface LockedPackage {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly hasInstallScript?: boolean;
}

/** Its script compares version ranges of other packages and warns; nothing depends on it. */
const WARNS_ONLY = ['node_modules/protobufjs'];

const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
/** What comes with the program wherever it is installed. */
const needed = Object.entries(packages).filter(([path, { dev, optional }]) => path !== '' && !dev && !optional);

it('no production dependency is bound to a platform', () => {
  expect(needed.length).toBeGreaterThan(100);
  expect(needed.filter(([, { os, cpu, libc }]) => os ?? cpu ?? libc).map(([path]) => path)).toEqual([]);
});

it('no production dependency is compiled or fetched by a script of its installation', () => {
  const scripted = needed.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path);
  expect(scripted).toEqual(WARNS_ONLY);
});
