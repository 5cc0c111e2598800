import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import {
  createGoIndexerImport,
  type GoIndexerImport,
  type GoIndexerImportOptions,
} from '../../../src/migration/go-indexer/go-indexer-import.js';
import { createThrottle } from '../../../src/migration/throttle.js';
import type { NewMessage } from '../../../src/model/records.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { type RunningApi, startApi } from '../api/api.js';
import { createTestDatabase, type TestDatabase } from '../postgres/postgres.js';
import type { RecordMaker } from '../records.js';
import { compareLists } from './go-answers.js';
import { createGoDatabase } from './go-database.js';
import { type GoWriter, openGoWriter } from './go-writer.js';

const common = createCommon();
const throttle = createThrottle({ limits: { rowsPerSecond: null, latencyMs: null, lagMs: null }, clock: common.clock });

/** The time of the first row. */
export const START_MS = Date.parse('2026-06-01T00:00:00Z');
/** The destination of every result of a history. */
export const DEST: Hex = `0x${'b9'.repeat(20)}`;

/** A Go indexer's database, a database of ours, and what a test opened. */
export class GoMove {
  readonly #closing: (() => Promise<unknown>)[] = [];
  private constructor(
    readonly go: TestDatabase,
    readonly home: TestDatabase,
    readonly target: PostgresStorage,
    readonly api: RunningApi,
  ) {}

  static async begin(): Promise<GoMove> {
    const [go, home] = [await createGoDatabase(), await createTestDatabase()];
    const target = createPostgresStorage({ connection: home.connection, common });
    const move = new GoMove(go, home, target, await startApi(target));
    return move;
  }

  open(options: Partial<GoIndexerImportOptions> = {}): GoIndexerImport {
    const given = { source: this.go.connection, zone: 'UTC', target: this.target, discoveries: [], throttle, common };
    const opened = createGoIndexerImport({ ...given, batchRows: 25, sweepMs: 0, ...options });
    this.#closing.push(() => opened.close());
    return opened;
  }

  async writer(zone?: string): Promise<GoWriter> {
    const writer = await openGoWriter(this.go.connection, zone);
    this.#closing.push(() => writer.close());
    return writer;
  }

  /** Steps until one finds nothing. */
  async follow(opened: GoIndexerImport): Promise<void> {
    while (!(await opened.step()).isIdle);
  }

  async differences(writer: GoWriter, zone = 'UTC') {
    const get = (path: string) => this.api.get(path);
    const messages = await compareLists(writer.client, zone, get, 'messages');
    const results = await compareLists(writer.client, zone, get, 'verifierResults');
    return { compared: messages.compared + results.compared, differing: [...messages.differing, ...results.differing] };
  }

  async end(): Promise<void> {
    await this.api.close();
    for (const close of this.#closing.splice(0)) await close();
    await this.target.close();
    await Promise.all([this.go.drop(), this.home.drop()]);
  }
}

/** `count` messages a second apart, each with its result 20 ms later, as pages of one aggregator. */
export async function writeHistory(
  writer: GoWriter,
  make: RecordMaker,
  count: number,
  startMs = START_MS,
): Promise<NewMessage[]> {
  const messages: NewMessage[] = [];
  for (let at = 0; at < count; at += 10) {
    const page = Array.from({ length: Math.min(10, count - at) }, () => make.message());
    // one time for a page, as its entries were read at once
    const atMs = startMs + at * 100;
    await writer.discover({
      messages: page.map((message) => ({ message, atMs })),
      results: page.map((message, index) => ({
        result: make.result(message, 0, { dest: DEST }),
        atMs,
        microseconds: index,
      })),
    });
    messages.push(...page);
  }
  return messages;
}

/** Records that stand on the wrong side of a boundary. */
export async function beyondBoundaries({ sql }: TestDatabase): Promise<number> {
  const { rows } = await sql(`SELECT count(*)::int AS count FROM ccv.commits c JOIN (
      SELECT position, ingestion_ms FROM ccv.messages UNION ALL SELECT position, ingestion_ms FROM ccv.verifier_results
    ) r ON r.position <= c.through_position AND r.ingestion_ms > c.ingestion_ms`);
  return rows[0].count;
}
