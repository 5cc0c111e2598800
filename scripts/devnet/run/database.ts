import { createHash } from 'node:crypto';
import { lstat, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Common } from '../../../src/core/common.js';
import { IndexerError } from '../../../src/core/errors.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../postgres/embedded-postgres.js';
import { EmbeddedPostgresError } from '../postgres/embedded-postgres-errors.js';

/** Survives a restart of the machine, unlike the directory for temporary files. */
const SHARED_DIRECTORY = '/var/tmp';

/** Settings of the database. */
export interface DatabaseOptions {
  readonly common: Common;
  readonly dataDir: string;
  readonly onStep: (step: string) => void;
}

/**
 * Starts the database of a data directory. Postgres does not run as root, and the user it runs as instead cannot enter
 * a directory below a closed one such as /root: then the database lies under /var/tmp, in a place that follows from the
 * data directory's path, so that the next start finds it again.
 * @throws EmbeddedPostgresError
 */
export async function startDatabase({ common, dataDir, onStep }: DatabaseOptions): Promise<EmbeddedPostgres> {
  const { inside, outside } = placesOf(dataDir);
  try {
    return await startEmbeddedPostgres({ dataDir: inside, log: common.log, clock: common.clock });
  } catch (thrown) {
    if (!(thrown instanceof EmbeddedPostgresError) || thrown.code !== 'EMBEDDED_POSTGRES_DATA_DIR_UNREACHABLE')
      throw thrown;
    await claim(outside);
    onStep(`the database cannot lie in ${inside} (Postgres does not run as root): it lies in ${outside}`);
    return await startEmbeddedPostgres({ dataDir: join(outside, 'postgres'), log: common.log, clock: common.clock });
  }
}

/** Removes the database of a data directory, wherever it lies. It must not run. */
export async function removeDatabase(dataDir: string): Promise<void> {
  for (const place of Object.values(placesOf(dataDir))) await rm(place, { recursive: true, force: true });
}

function placesOf(dataDir: string) {
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  return { inside: join(dataDir, 'postgres'), outside: join(SHARED_DIRECTORY, `ccv-indexer-${hash}`) };
}

/** Anyone may write in the shared directory: only a directory of our own, and no link to somewhere else, will do. */
async function claim(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const found = await lstat(directory);
  if (!found.isDirectory() || found.uid !== process.getuid?.())
    throw new IndexerError(
      'DEV_DIRECTORY_FOREIGN',
      `${directory} belongs to somebody else: choose another --data`,
      false,
    );
}
