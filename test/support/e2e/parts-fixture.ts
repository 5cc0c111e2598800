import { afterAll, afterEach } from 'vitest';
import { endAllCli } from './cli.js';
import { e2eDirectory } from './service.js';

/** What the tests of a file start: processes end after each test, all else after the last one. */
export interface Parts {
  /** A directory of theirs. */
  readonly path: string;
  /** Ends the part, in the opposite order of the calls. */
  closed<T extends { close(): unknown }>(part: T): T;
  /** Calls these, in the opposite order. */
  closing(...ends: readonly (() => unknown)[]): void;
}

/** Call it once in a file. */
export function partsFixture(): Parts {
  const directory = e2eDirectory();
  const ends: (() => unknown)[] = [];
  afterEach(endAllCli);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    directory.remove();
  });
  return {
    path: directory.path,
    closed(part) {
      ends.push(() => part.close());
      return part;
    },
    closing: (...more) => {
      ends.push(...more);
    },
  };
}
