import { chmod, cp, lstat, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { toError } from '../../../src/core/errors.js';
import { runAs, type ServerAccount } from './embedded-postgres-account.js';
import { EmbeddedPostgresError } from './embedded-postgres-errors.js';

/** Where the server's programs are. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Finds the programs in the npm package for this platform and sees to it that the account can run them: an installation
 * that the account cannot reach, or whose library links are missing and cannot be made, is copied once to a directory
 * that only we can write.
 * @throws EmbeddedPostgresError
 */
export async function locatePostgresBinaries(account: ServerAccount): Promise<PostgresBinaries> {
  const { packageDir, version } = await findPackage();
  const installed = join(packageDir, 'native');
  if (await isUsable(installed, account)) return programsIn(installed);
  await linkLibraries(installed).catch(() => 'not writable: the copy below gets the links');
  if (await isUsable(installed, account)) return programsIn(installed);
  const copy = await copyOnce(installed, version);
  try {
    await runAs(account, programsIn(copy).postgres, ['--version']);
  } catch (cause) {
    throw new EmbeddedPostgresError(
      'BINARIES_UNUSABLE',
      `Postgres in ${copy} does not run as ${account.name}: is ${tmpdir()} mounted noexec, or a library missing? ` +
        'Set TMPDIR to another directory, or configure a Postgres of your own',
      { cause },
    );
  }
  return programsIn(copy);
}

async function findPackage(): Promise<{ packageDir: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const packageDir = dirname(dirname(createRequire(import.meta.url).resolve(name)));
    const { version } = JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8')) as { version: string };
    return { packageDir, version };
  } catch (cause) {
    throw new EmbeddedPostgresError(
      'UNSUPPORTED_PLATFORM',
      `there is no ${name} here: install with development and optional dependencies on linux or macOS, or ` +
        'configure a Postgres of your own',
      { cause },
    );
  }
}

function programsIn(native: string): PostgresBinaries {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}

async function isUsable(native: string, account: ServerAccount): Promise<boolean> {
  return await runAs(account, programsIn(native).postgres, ['--version']).then(
    () => true,
    () => false,
  );
}

/** Makes the links between libraries that the package's install script makes, where that did not run. */
async function linkLibraries(native: string): Promise<void> {
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links)
    await symlink(basename(source), join(dirname(native), target)).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code !== 'EEXIST') throw thrown;
    });
}

/**
 * The copy's name can be guessed, and its directory may be writable by all. It is used only when it belongs to us and
 * no other account can write it; else a fresh, unguessable one is made.
 */
async function copyOnce(native: string, version: string): Promise<string> {
  const shared = join(tmpdir(), `ccv-indexer-postgres-${version}-${process.getuid?.() ?? 0}`);
  if (await isOurs(shared)) return join(shared, 'native');
  const fresh = await mkdtemp(`${shared}-`);
  try {
    await cp(native, join(fresh, 'native'), { recursive: true, verbatimSymlinks: true });
    await linkLibraries(join(fresh, 'native'));
    await chmod(fresh, 0o755);
  } catch (cause) {
    await rm(fresh, { recursive: true, force: true });
    throw new EmbeddedPostgresError(
      'BINARIES_UNUSABLE',
      `cannot copy Postgres to ${fresh} (${toError(cause).message}): free some space there or set TMPDIR`,
      { cause },
    );
  }
  await rename(fresh, shared).catch(() => 'somebody was there first');
  if (!(await isOurs(shared))) return join(fresh, 'native');
  await rm(fresh, { recursive: true, force: true });
  return join(shared, 'native');
}

async function isOurs(directory: string): Promise<boolean> {
  const status = await lstat(directory).catch(() => null);
  return status?.isDirectory() === true && status.uid === process.getuid?.() && (status.mode & 0o022) === 0;
}
