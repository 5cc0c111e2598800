import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { bytesToHex } from '../../../src/core/hex.js';
import { readLane } from '../../../src/model/payload.js';
import type { StoredVerifierResult } from '../../../src/model/records.js';
import { type Action, removeOf } from '../../../src/storage/cold/delta/actions.js';
import { createDeltaLog } from '../../../src/storage/cold/delta/delta-log.js';
import { checkpointName, dataFilePath, indexFilePath, pathToUri } from '../../../src/storage/cold/delta/paths.js';
import { tableSchemaString } from '../../../src/storage/cold/delta/schema.js';
import { parseStats, stringifyStats } from '../../../src/storage/cold/delta/stats.js';
import type { EncodedFile } from '../../../src/storage/cold/rows/data-file-encoder.js';
import { LEDGER_ROWS } from '../../../src/storage/cold/rows/ledger.js';
import { MESSAGE_ROWS } from '../../../src/storage/cold/rows/messages.js';
import { dayOf, type RowKind } from '../../../src/storage/cold/rows/row-kind.js';
import { VERIFIER_RESULT_ROWS } from '../../../src/storage/cold/rows/verifier-results.js';
import { openDuckDB } from '../../support/cold/duckdb.js';
import { encodedOf } from '../../support/cold/duckdb-cold.js';
import { expectedChange, expectedMessage, expectedResult } from '../../support/cold/duckdb-rows.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';
import { encodeFile, zstd } from '../../unit/storage/cold/file-reading.js';
import {
  decodableMessages,
  inOrder,
  ledgerChanges,
  storedMessages,
  storedVerifierResults,
} from '../../unit/storage/cold/row-arbitraries.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** What DuckDB calls the types of a Delta schema. */
const DUCKDB_TYPES: Readonly<Record<string, string>> = {
  'decimal(38,0)': 'DECIMAL(38,0)',
  string: 'VARCHAR',
  long: 'BIGINT',
  timestamp: 'TIMESTAMP WITH TIME ZONE',
  boolean: 'BOOLEAN',
  binary: 'BLOB',
};

let duckdb: DuckDBConnection;
let parent: string;
let directory: TestDirectoryStore;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'ccv-duckdb-'));
  directory = await createTestDirectoryStore();
  duckdb = await (await DuckDBInstance.create()).connect();
});
afterAll(async () => {
  duckdb.closeSync();
  await directory.remove();
  await rm(parent, { recursive: true, force: true });
});

type Row = Readonly<Record<string, unknown>>;

/** Rows of a query: bytes as hex, 64-bit numbers as bigint. */
async function rows(sql: string): Promise<Row[]> {
  const result = await duckdb.runAndReadAll(sql);
  return result
    .getRowObjects()
    .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])));
}

function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('micros' in value) return value.micros;
  if ('items' in value) return value.items;
  if ('scale' in value && 'value' in value) return value.value;
  return 'bytes' in value && value.bytes instanceof Uint8Array ? bytesToHex(value.bytes) : value;
}

const encode = <T, K extends { readonly position: bigint }>(kind: RowKind<T, K>, records: readonly T[]): EncodedFile =>
  encodeFile(kind, records, { targetBytes: 4_000, capBytes: 8_000, maxRows: 11 });

describe('DuckDB reads', () => {
  const cases = [
    ['verifier results', VERIFIER_RESULT_ROWS, storedVerifierResults, expectedResult],
    ['messages', MESSAGE_ROWS, storedMessages, expectedMessage],
    ['messages that can be decoded', MESSAGE_ROWS, decodableMessages, expectedMessage],
    ['ledger changes', LEDGER_ROWS, ledgerChanges, expectedChange],
  ] as [string, RowKind<unknown, { position: bigint }>, fc.Arbitrary<unknown>, (record: unknown) => Row][];

  it.each(cases)('%s value by value, with the types of the table schema', async (what, kind, arbitrary, expected) => {
    const path = join(parent, `${what}.parquet`);
    for (let seed = 1; seed <= 5; seed++) {
      const records = inOrder(kind, fc.sample(arbitrary, { numRuns: 80, seed }));
      const file = encode(kind, records);
      await writeFile(path, file.bytes);
      expect(await rows(`SELECT * FROM '${path}'`)).toEqual(records.map(expected));
    }
    const described = await rows(`DESCRIBE SELECT * FROM '${path}'`);
    const schema: { fields: { name: string; type: string | object; nullable: boolean }[] } = JSON.parse(
      tableSchemaString(kind.columns),
    );
    expect(described.map(({ column_name, column_type }) => [column_name, column_type])).toEqual(
      schema.fields
        .filter(({ name }) => name !== 'day')
        .map(({ name, type }) => [name, typeof type === 'string' ? DUCKDB_TYPES[type] : 'VARCHAR[]']),
    );
  });

  it('columns that encode to the canonical bytes of their message', async () => {
    const records = inOrder(MESSAGE_ROWS, fc.sample(decodableMessages, { numRuns: 200, seed: 3 }));
    const path = join(parent, 'contents.parquet');
    await writeFile(path, encode(MESSAGE_ROWS, records).bytes);
    const found = await (await openDuckDB()).rows(`SELECT * FROM '${path}'`);
    expect(found.filter((row) => row['encoded_message'] === null).length).toBeGreaterThan(60);
    expect(found.map((row) => bytesToHex(encodedOf(row)))).toEqual(
      records.map(({ encodedMessage }) => bytesToHex(encodedMessage)),
    );
  });

  it('by their bloom filters, that other files do not hold a message', async () => {
    const folder = join(parent, 'filters');
    await mkdir(folder);
    const ids: string[][] = [];
    for (let seed = 1; seed <= 6; seed++) {
      const records = inOrder(VERIFIER_RESULT_ROWS, fc.sample(storedVerifierResults, { numRuns: 60, seed }));
      await writeFile(join(folder, `${seed}.parquet`), encode(VERIFIER_RESULT_ROWS, records).bytes);
      ids.push([...new Set(records.map(({ messageId }) => messageId))].slice(0, 20));
    }
    let admitted = 0;
    for (const [place, some] of ids.entries())
      for (const id of some) {
        const found = await rows(`SELECT DISTINCT file_name AS file
          FROM parquet_bloom_probe('${folder}/*.parquet', 'message_id', '${id}') WHERE NOT bloom_filter_excludes`);
        expect(found).toContainEqual({ file: join(folder, `${place + 1}.parquet`) });
        admitted += found.length - 1;
      }
    // 600 questions of a message to a file that has not got it, each of ten row groups
    expect(admitted).toBeLessThan(120);
  });

  it('only the row groups that a filter needs, by our statistics, and finds the same rows', async () => {
    const records = inOrder(VERIFIER_RESULT_ROWS, fc.sample(storedVerifierResults, { numRuns: 200, seed: 9 }));
    const path = join(parent, 'filtered.parquet');
    await writeFile(path, encode(VERIFIER_RESULT_ROWS, records).bytes);
    for (const record of records.slice(0, 40)) {
      const { sourceChainSelector } = readLane(record.encodedMessage);
      const found = await rows(
        `SELECT position FROM '${path}' WHERE message_id = '${record.messageId}' AND ingestion_ms = ${record.ingestionMs}
           AND position = ${record.position} AND source_chain_selector = '${sourceChainSelector}'
           AND first_ms >= ${record.firstMs}`,
      );
      expect(found).toEqual([{ position: record.position }]);
    }
    const metadata = await rows(`SELECT count(DISTINCT row_group_id) AS groups FROM parquet_metadata('${path}')`);
    expect(Number(metadata[0]!['groups'])).toBeGreaterThan(10);
  });
});

describe('a table in a directory', () => {
  it('is the same for DuckDB as for us: rows, days, statistics, tombstones and the checkpoint', async () => {
    const root = 'namespace/verifier_results';
    const maker = createRecordMaker(21);
    const log = createDeltaLog({
      store: directory.store,
      root,
      zstd,
      table: 'verifier_results',
      common: createCommon(),
      checkpointEvery: 5,
    });
    let snapshot = await log.open(VERIFIER_RESULT_ROWS.columns);
    const startMs = Date.UTC(2026, 10, 20, 1);
    let position = 0n;
    for (let version = 1; version <= 12; version++) {
      const ingestionMs = startMs + version * (DAY_MS / 4);
      const lane = { destChainSelector: version % 2 === 0 ? SELECTORS.max : SELECTORS.high };
      const results = maker.results(30, lane).map((result): StoredVerifierResult => {
        position += 1n;
        const stamp = { ingestionMs, firstMs: ingestionMs, position, orphaned: version === 7 };
        return { ...result, ...stamp, verdict: result.verdict ?? null };
      });
      const file = encode(VERIFIER_RESULT_ROWS, inOrder(VERIFIER_RESULT_ROWS, results));
      const day = dayOf(ingestionMs);
      const path = dataFilePath(day, `id-${version}`);
      await directory.store.putIfAbsent(log.key(path), file.bytes);
      await directory.store.putIfAbsent(log.key(indexFilePath(day, `id-${version}`)), file.index!.bytes);
      const actions: Action[] = [
        {
          add: {
            path: pathToUri(path),
            partitionValues: { day },
            size: file.bytes.length,
            modificationTime: ingestionMs,
            dataChange: true,
            stats: stringifyStats(file.stats),
            tags: { footerBytes: String(file.footerBytes) },
          },
        },
        { txn: { appId: 'ccv-indexer', version: position, lastUpdated: ingestionMs } },
      ];
      const [first] = snapshot.files.values();
      if (version === 8 && first) actions.push(removeOf(first, Date.now(), true));
      snapshot = await log.commit(snapshot, actions, { operation: 'WRITE' });
    }

    const files = [...snapshot.files.values()];
    const list = files.map(({ path }) => `'${join(directory.directory, log.key(path))}'`).join(',');
    const table = `read_parquet([${list}], hive_partitioning = true)`;
    expect(await rows(`SELECT count(*) AS n, count(DISTINCT message_id) AS ids FROM ${table}`)).toEqual([
      { n: 330n, ids: 330n },
    ]);
    const misplaced = `SELECT count(*) AS n FROM ${table} WHERE strftime(make_timestamp(ingestion_ms * 1000), '%Y-%m-%d') <> day::VARCHAR`;
    expect(await rows(misplaced)).toEqual([{ n: 0n }]);

    for (const { path, stats, partitionValues, size } of files) {
      const key = log.key(path);
      expect((await directory.store.head(key)).sizeBytes).toBe(size);
      expect(path.startsWith(`day=${partitionValues['day']}/`)).toBe(true);
      const { numRecords, minValues, maxValues, nullCount } = parseStats(stats!);
      const bounds = Object.keys(minValues).map((name) => `min(${name}) AS min_${name}, max(${name}) AS max_${name}`);
      const counts = Object.keys(nullCount).map((name) => `count(*) FILTER (${name} IS NULL) AS nulls_${name}`);
      const [found] = await rows(
        `SELECT count(*) AS n, ${[...bounds, ...counts].join(', ')} FROM '${join(directory.directory, key)}'`,
      );
      const same = (value: unknown, name: string) => {
        if (name.endsWith('_time')) return BigInt(Date.parse(String(value))) * 1000n;
        return typeof value === 'number' ? BigInt(value) : value;
      };
      expect(found!['n']).toBe(BigInt(numRecords));
      expect(Object.keys(minValues)).toEqual(Object.keys(maxValues));
      for (const name of Object.keys(minValues)) {
        expect(found![`min_${name}`]).toBe(same(minValues[name], name));
        expect(found![`max_${name}`]).toBe(same(maxValues[name], name));
      }
      for (const name of Object.keys(nullCount)) expect(found![`nulls_${name}`]).toBe(BigInt(nullCount[name]!));
    }

    const checkpoint = `'${join(directory.directory, log.key('_delta_log'), checkpointName(10))}'`;
    const adds = await rows(
      `SELECT add.path AS path, add.partitionValues['day'] AS day, add.size AS size, add.dataChange AS data_change,
         add.stats AS stats, add.tags['footerBytes'] AS footer FROM ${checkpoint} WHERE add IS NOT NULL ORDER BY path`,
    );
    const upTo10 = [...snapshot.files.values()].filter(({ path }) => Number(/id-(\d+)/.exec(path)?.[1]) <= 10);
    expect(adds).toEqual(
      upTo10
        .map((add) => ({
          path: add.path,
          day: add.partitionValues['day'],
          size: BigInt(add.size),
          data_change: false,
          stats: add.stats,
          footer: add.tags!['footerBytes'],
        }))
        .sort((a, b) => (a.path < b.path ? -1 : 1)),
    );
    expect(
      await rows(
        `SELECT count(protocol) AS protocols, count(metaData) AS metadata, count(txn) AS txns, count(remove) AS removes,
           max(txn.version) AS version, max(protocol.minReaderVersion) AS reader, max(protocol.minWriterVersion) AS writer,
           max(metaData.id) AS id, max(metaData.partitionColumns[1]) AS partition, max(metaData.format.provider) AS format,
           max(metaData.schemaString) AS schema, max(remove.path) AS removed, bool_and(remove.dataChange) AS data_change
         FROM ${checkpoint}`,
      ),
    ).toEqual([
      {
        protocols: 1n,
        metadata: 1n,
        txns: 1n,
        removes: 1n,
        version: 300n,
        reader: 1,
        writer: 7,
        id: snapshot.metadata.id,
        partition: 'day',
        format: 'parquet',
        schema: snapshot.metadata.schemaString,
        removed: [...snapshot.tombstones.keys()][0],
        data_change: false,
      },
    ]);
    // every row of a checkpoint is one action
    expect(
      await rows(`SELECT count(*) AS n FROM ${checkpoint} WHERE (protocol IS NOT NULL)::INT + (metaData IS NOT NULL)::INT
        + (txn IS NOT NULL)::INT + (add IS NOT NULL)::INT + (remove IS NOT NULL)::INT <> 1`),
    ).toEqual([{ n: 0n }]);
  });
});
