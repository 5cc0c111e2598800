/** A package of a lock file, as far as its licence is concerned. */
export interface LockedPackage {
  readonly version?: string;
  /** An SPDX expression. */
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly resolved?: string;
}

/** Licences that let the program be given on under its own, with their notices. */
const ALLOWED = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT']);

/** The packages that are installed with the program and have no licence of the list, each as a line. */
export function licenceProblems(packages: Readonly<Record<string, LockedPackage>>): readonly string[] {
  return Object.entries(packages).flatMap(([path, locked]) => {
    // the program itself, and packages of this repository that stand in for others
    const isOurs = !path.includes('node_modules/') || locked.link === true || locked.resolved?.startsWith('file:');
    if (isOurs || locked.dev === true || ALLOWED.has(locked.license ?? '')) return [];
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    return [
      `${name} ${locked.version ?? ''}: licence ${locked.license ?? 'unknown'} is not one of ${[...ALLOWED].join(', ')}`,
    ];
  });
}
