import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesToHex } from '../../../src/core/hex.js';
import { logOf } from '../../../src/model/identity.js';
import type { StoredExecution, StoredMessage, StoredVerifierResult } from '../../../src/model/records.js';
import type { ColdStorage } from '../../../src/storage/cold/cold-storage.js';
import { dayOf } from '../../../src/storage/cold/rows/row-kind.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { pythonEngines } from '../../support/cold/delta-rs.js';
import { type DuckDBRow, openDuckDB } from '../../support/cold/duckdb.js';
import { readWithDuckDB } from '../../support/cold/duckdb-cold.js';
import { expectedExecution, expectedMessage, expectedResult } from '../../support/cold/duckdb-rows.js';
import { PYTHON_ANSWERS, SPARK_ANSWERS } from '../../support/cold/engine-scripts.js';
import { openMaintained } from '../../support/cold/maintenance.js';
import { follow } from '../../support/cold/storage-life.js';
import { LARGEST_DECIMAL, withToken } from '../../support/cold/with-token.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';

/** Messages and results; README.md says how to compare many, and with Spark. */
const RECORDS = Number(process.env['TEST_ENGINE_RECORDS'] ?? 2_000);
const SPARK = process.env['TEST_SPARK'];
const FLUSHES = 10;
const LANES = [1n, 2n, 2n ** 64n - 1n].map((source) => ({ sourceChainSelector: source, destChainSelector: 3n }));

const engines = await pythonEngines();
const clock = createManualClock();
const origin = createMemoryStorage({ name: 'origin', common: { clock } });
let directory: TestDirectoryStore;
let archive: ColdStorage;

/** Rows of all kinds, over days; many change, some are removed and some of those come back after they were flushed. */
beforeAll(async () => {
  directory = await createTestDirectoryStore();
  archive = openMaintained(directory.store);
  const make = createRecordMaker(100);
  const [source, dest] = [make.hex(32), make.hex(20)];
  const count = Math.ceil(RECORDS / 4 / FLUSHES);
  for (let flush = 0; flush < FLUSHES; flush += 1) {
    const messages = Array.from({ length: count }, (_, place) => {
      const ccvs = [make.hex(20), make.hex(20), make.hex(20)].slice(place % 3);
      const made = make.message({ ...LANES[place % 3], dataBytes: place % 90, ccvs });
      return place % 4 === 0
        ? withToken(made, { amount: LARGEST_DECIMAL - 2n + BigInt(place % 5), source, dest })
        : made;
    });
    await origin.insertBatch({ messages });
    await origin.insertBatch({
      verifierResults: messages.flatMap((each) => [0, 1, 2].map((ccv) => make.result(each, ccv))),
    });
    const executions = messages.slice(0, count / 2).map((each) => make.execution(each));
    await origin.insertBatch({ executions });
    await follow(archive, origin);
    await archive.flush();
    const removed = messages.slice(0, Math.ceil(count / 20));
    await origin.insertBatch({
      statuses: messages.slice(removed.length, -5).map(({ messageId }) => ({ messageId, status: 'success' as const })),
      orphanings: removed.map(({ messageId, origin: of }) => ({ messageId, blockHash: of!.blockHash })),
    });
    await origin.insertBatch({ messages: [{ ...removed[0]!, origin: make.origin(900n) }] });
    await origin.insertBatch({ executionOrphanings: executions.slice(0, 3).map(logOf) });
    await origin.insertBatch({ executions: executions.slice(0, 1) });
    await clock.advance(7 * 3_600_000);
  }
  await follow(archive, origin);
  await archive.flush();
});
afterAll(async () => {
  await archive.close();
  await directory.remove();
});

interface Answers {
  /** Rows, and the digest of all their values: messages, results, executions. */
  readonly digests: readonly (readonly [number, string])[];
  /** Messages by day, lane and status. */
  readonly counts: readonly string[];
}

/** The lists of the storage that is indexed, with the columns that their rows have. */
async function truth(): Promise<Answers> {
  const day = (record: StoredMessage | StoredVerifierResult | StoredExecution) => ({ day: dayOf(record.ingestionMs) });
  const { items: messages } = await origin.queryMessages({ limit: 1_000_000 });
  const { items: results } = await origin.queryCCVData({ limit: 1_000_000 });
  const executions = await origin.executionsAboveBlock(3n, 0n);
  const rows = messages.map((each) => ({ ...expectedMessage(each), ...day(each) }));
  const counts = new Map<string, number>();
  for (const row of rows as readonly DuckDBRow[]) {
    const key = [row['day'], row['lane'], row['status']].join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return {
    digests: [
      digest(rows),
      digest(results.map((each) => ({ ...expectedResult(each), ...day(each) }))),
      digest(executions.map((each) => ({ ...expectedExecution(each), ...day(each) }))),
    ],
    counts: [...counts].map(([key, count]) => `${key},${count}`).sort(),
  };
}

async function duckdbAnswers(): Promise<Answers> {
  const duckdb = await openDuckDB();
  await duckdb.run(readWithDuckDB(join(directory.directory, 'test')));
  const groups = await duckdb.rows('SELECT day, lane, status, count(*) AS n FROM messages GROUP BY ALL');
  const digests = [
    digest(await duckdb.rows('SELECT * FROM messages')),
    digest(await duckdb.rows('SELECT * FROM verifier_results')),
    digest(await duckdb.rows('SELECT * FROM executions')),
  ];
  duckdb.close();
  return { digests, counts: groups.map((row) => Object.values(row).map(String).join()).sort() };
}

async function commits(): Promise<string[]> {
  const names = await readdir(directory.directory, { recursive: true });
  return names.filter((name) => /_delta_log.\d+\.json$/.test(name)).sort();
}

function digest(rows: readonly DuckDBRow[]): readonly [number, string] {
  const lines = rows.map(lineOf).sort();
  return [lines.length, createHash('sha256').update(lines.join('\n')).digest('hex')];
}

/** Names in order; bytes in hex, times in microseconds, lists joined. */
function lineOf(row: DuckDBRow): string {
  const names = Object.keys(row).sort();
  return names.map((name) => `${name}=${textOf(row[name])}`).join();
}

function textOf(value: unknown): string {
  if (value === null) return '';
  if (Array.isArray(value)) return value.join('|');
  if (value instanceof Uint8Array) return bytesToHex(value);
  if (typeof value === 'object' && 'micros' in value) return String(value.micros);
  return String(value);
}

describe.each([
  ['before', async () => undefined, ['DELETE', 'OPTIMIZE', 'VACUUM', 'RESTORE']],
  // nothing is left to optimize
  ['after', async () => archive.maintenance.compact({ full: true }), ['DELETE', 'VACUUM', 'RESTORE']],
])('every value and every count is that of the lists, %s a compaction:', (_, prepare, refused) => {
  let expected: Answers;
  beforeAll(async () => {
    await prepare();
    expected = await truth();
    if (process.env['TEST_ENGINE_RECORDS'])
      console.log(JSON.stringify(expected.digests), expected.counts.length, 'counts');
  });

  test('DuckDB', async () => {
    expect(await duckdbAnswers()).toEqual(expected);
    expect(expected.counts.length).toBeGreaterThan(15);
  });

  test.skipIf('missing' in engines)('delta-rs, polars and pandas', async () => {
    if ('missing' in engines) return;
    const answers = await engines.run(PYTHON_ANSWERS, join(directory.directory, 'test'));
    expect(answers).toEqual({ 'delta-rs': expected, polars: expected, pandas: expected });
  });

  test.skipIf(!SPARK)('Spark, which refuses to change anything', async () => {
    const [python = '', jars = ''] = (SPARK ?? '').split(' ');
    const before = await commits();
    const { stdout } = await promisify(execFile)(
      python,
      ['-c', SPARK_ANSWERS, join(directory.directory, 'test'), jars],
      {
        maxBuffer: 1 << 28,
      },
    );
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toEqual({ answers: { Spark: expected }, refused });
    expect(await commits()).toEqual(before);
  });
});
