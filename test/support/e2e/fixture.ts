import { afterAll, afterEach, beforeAll } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../postgres/postgres.js';
import { endAllCli } from './cli.js';
import { type ColdNamespace, coldNamespace } from './cold-namespace.js';
import { e2eDirectory } from './service.js';

/** What the commands of a test file work on. */
export interface CommandFixture {
  /** For configurations and cold tiers. */
  readonly directory: string;
  /** Not migrated. */
  readonly database: TestDatabase;
  /** A namespace of the two with all three tiers. */
  tiersOf(namespace: string, wish?: Parameters<typeof coldNamespace>[3]): ColdNamespace;
}

/**
 * A directory and a database for all tests of the calling file. What a test left running is ended after it. Call it once,
 * at the top of the file; the database is there from `beforeAll` on.
 */
export function commandFixture(): CommandFixture {
  const directory = e2eDirectory();
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
  });
  afterEach(endAllCli);
  afterAll(async () => {
    directory.remove();
    await database.drop();
  });
  return {
    directory: directory.path,
    get database() {
      return database;
    },
    tiersOf: (namespace, wish = {}) => coldNamespace(database, directory.path, namespace, wish),
  };
}
