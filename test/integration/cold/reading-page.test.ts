import { readFileSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NewMessage } from '../../../src/model/records.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import { decodeMessage, encodeMessage } from '../../../src/protocol/message-codec.js';
import { footerLength } from '../../../src/storage/cold/parquet/footer.js';
import { dayOf } from '../../../src/storage/cold/rows/row-kind.js';
import { TABLE_NAMES } from '../../../src/storage/cold/rows/table-name.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { pythonEngines } from '../../support/cold/delta-rs.js';
import { openDuckDB, type TestDuckDB } from '../../support/cold/duckdb.js';
import { readWithDuckDB } from '../../support/cold/duckdb-cold.js';
import { openMaintained } from '../../support/cold/maintenance.js';
import { follow } from '../../support/cold/storage-life.js';
import { createManualClock } from '../../support/manual-clock.js';
import { createRecordMaker } from '../../support/records.js';
import { createTestDirectoryStore, type TestDirectoryStore } from '../../support/s3/object-store.js';

const PAGE = readFileSync(join(import.meta.dirname, '../../../src/storage/cold/READING.md'), 'utf8');
const HOUR_MS = 3_600_000;
const RARE_LANE = { sourceChainSelector: 7n, destChainSelector: 7n };
/** Of 38 digits. */
const LARGEST_DECIMAL = 10n ** 38n - 1n;
const engines = await pythonEngines();

const clock = createManualClock();
const origin = createMemoryStorage({ name: 'origin', common: { clock } });
let directory: TestDirectoryStore;
let duckdb: TestDuckDB;

/** The statement, or the expression, below a heading of the page. */
function below(heading: string, language: 'sql' | 'python'): string {
  const section = PAGE.slice(PAGE.indexOf(`### ${heading}`) + 4);
  const found = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(section.split('\n### ')[0]!)?.[1];
  if (!found) throw new Error(`the page has no ${language} below ${heading}`);
  return found;
}

const answer = (heading: string) => duckdb.rows(below(heading, 'sql'));

/** Messages over two days, every third with a token, some of which change, are removed and come back after they were flushed. */
beforeAll(async () => {
  directory = await createTestDirectoryStore();
  const make = createRecordMaker(90);
  const archive = openMaintained(directory.store);
  const lanes = [
    { sourceChainSelector: 1n, destChainSelector: 2n },
    { sourceChainSelector: 2n ** 64n - 1n, destChainSelector: 1n },
  ];
  const tokens = [make.hex(32), make.hex(32)];
  const withToken = (message: NewMessage, place: number): NewMessage => {
    const encodedMessage = encodeMessage({
      ...decodeMessage(message.encodedMessage),
      tokenTransfer: {
        version: 1,
        amount: place === 57 ? LARGEST_DECIMAL + 1n : 10n ** 20n + BigInt(place),
        ...{
          sourcePoolAddress: make.hex(32),
          sourceTokenAddress: tokens[place % 4 < 2 ? 0 : 1]!,
          destTokenAddress: make.hex(20),
        },
        ...{ tokenReceiver: make.hex(20), extraData: '0x' },
      },
    });
    return { ...message, encodedMessage, messageId: computeMessageId(encodedMessage) };
  };
  for (let flush = 0; flush < 8; flush += 1) {
    const messages = Array.from({ length: 60 }, (_, place) => {
      const made = make.message({
        ...(place === 59 && flush === 5 ? RARE_LANE : lanes[place % 2]),
        dataBytes: place,
        origin: make.origin(BigInt(flush * 60 + place)),
      });
      return place % 3 === 0 ? withToken(made, place) : made;
    });
    await origin.insertBatch({ messages, verifierResults: messages.slice(5).map((message) => make.result(message)) });
    await follow(archive, origin);
    await archive.flush();
    await origin.insertBatch({
      statuses: messages.slice(10, 40).map(({ messageId }) => ({ messageId, status: 'success' as const })),
      orphanings: messages
        .slice(2, 6)
        .map((each) => ({ messageId: each.messageId, blockHash: each.origin!.blockHash })),
    });
    await origin.insertBatch({ messages: [{ ...messages[2]!, origin: make.origin(900n) }] });
    await clock.advance(5 * HOUR_MS);
  }
  await follow(archive, origin);
  await archive.close();
  duckdb = await openDuckDB();
  await duckdb.run(readWithDuckDB(join(directory.directory, 'test')));
});
afterAll(async () => {
  duckdb.close();
  await directory.remove();
});

async function listed() {
  const { items: messages } = await origin.queryMessages({ limit: 10_000 });
  const { items: results } = await origin.queryCCVData({ limit: 10_000 });
  const decoded = messages.map((message) => ({ ...message, contents: decodeMessage(message.encodedMessage) }));
  return { results, messages: decoded.map((each) => ({ ...each, lane: laneOf(each.contents) })) };
}

const laneOf = (lane: { sourceChainSelector: bigint; destChainSelector: bigint }) =>
  `${lane.sourceChainSelector}-${lane.destChainSelector}`;

function grouped<T>(items: readonly T[], nameOf: (item: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(nameOf(item), [...(groups.get(nameOf(item)) ?? []), item]);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}

async function countsByStatus() {
  const { messages } = await listed();
  const groups = grouped(messages, ({ ingestionMs, lane, status }) => [dayOf(ingestionMs), lane, status].join());
  return groups.map(([name, { length }]) => `${name},${length}`);
}

describe('the questions of the page, asked in DuckDB, are answered as by the query API', () => {
  test('messages a lane a day by status', async () => {
    const rows = await answer('Messages a lane a day, by status');
    const texts = rows.map((row) => `${String(row['day'])},${row['lane']},${row['status']},${row['messages']}`);
    expect(texts).toEqual(await countsByStatus());
    expect(texts.length).toBeGreaterThan(7);
  });

  test('the verifications of one message', async () => {
    const { messageId } = (await listed()).results.at(-1)!;
    const rows = await duckdb.rows(below('The verifications of one message', 'sql').replace('0xMESSAGE', messageId));
    const results = await origin.getCCVData(messageId);
    expect(rows.map((row) => [row['verifier_name'], row['verifier_source_address']])).toEqual(
      results.map(({ verifierName, verifierSourceAddress }) => [verifierName, verifierSourceAddress]),
    );
    expect(rows.length).toBe(1);
  });

  test('the slowest verifiers', async () => {
    const { messages, results } = await listed();
    const byId = new Map(messages.map((message) => [message.messageId, message]));
    const [row] = await answer('The slowest verifiers');
    const waits = results.map((each) => each.attestationMs - byId.get(each.messageId)!.origin!.blockTimestampMs);
    expect(row).toMatchObject({ verifier_name: results[0]!.verifierName, results: BigInt(results.length) });
    expect(row!['average_s']).toBeCloseTo(waits.reduce((sum, wait) => sum + wait, 0) / waits.length / 1000, 3);
    expect(row!['most_s']).toBeCloseTo(Math.max(...waits) / 1000, 3);
  });

  test('tokens by volume', async () => {
    const { messages } = await listed();
    const transfers = messages.filter(({ contents }) => contents.tokenTransfer !== null);
    const rows = await answer('Tokens by volume');
    const groups = grouped(transfers, ({ lane, contents }) => `${lane} ${contents.tokenTransfer!.sourceTokenAddress}`);
    const expected = groups.map(([name, some]) => {
      const fitting = some.filter(({ contents }) => contents.tokenTransfer!.amount <= LARGEST_DECIMAL);
      const amount = fitting.reduce((sum, { contents }) => sum + contents.tokenTransfer!.amount, 0n);
      return `${name} ${some.length} ${amount} ${some.length - fitting.length}`;
    });
    const found = rows.map(
      (row) =>
        `${row['lane']} ${row['token_source_address']} ${row['transfers']} ${row['amount']} ${row['above_38_digits']}`,
    );
    expect(found.sort()).toEqual(expected.sort());
    expect(expected.length).toBeGreaterThan(2);
    expect(expected.filter((each) => !each.endsWith(' 0')).length).toBeGreaterThan(0);
  });

  test('gaps in message numbers', async () => {
    const { messages } = await listed();
    const expected: string[] = [];
    for (const [lane, some] of grouped(messages, (message) => message.lane)) {
      const numbers = some.map(({ contents }) => contents.messageNumber).sort((a, b) => (a < b ? -1 : 1));
      for (const [place, number] of numbers.entries()) {
        const next = numbers[place + 1];
        if (next !== undefined && next > number + 1n) expected.push(`${lane} ${number + 1n} ${next - 1n}`);
      }
    }
    const rows = await answer('Gaps in message numbers');
    expect(rows.map((row) => `${row['lane']} ${row['first_missing']} ${row['last_missing']}`)).toEqual(expected);
    expect(expected.length).toBeGreaterThan(10);
  });
});

/** Closed ranges in which few files have rows. */
async function narrowRanges() {
  const [rare] = await duckdb.rows(
    "SELECT block_time::VARCHAR AS block, ingestion_time::VARCHAR AS ingestion FROM messages WHERE lane = '7-7'",
  );
  const ranges = [
    ['block_time', String(rare!['block'])],
    ['ingestion_time', String(rare!['ingestion'])],
    ['lane', '7-7'],
  ] as const;
  return ranges.map(([name, value]) => ({ name, value, condition: `${name} BETWEEN '${value}' AND '${value}'` }));
}

/** Files that may hold rows of a range by their smallest and largest values: a message that came back makes them wide. */
async function filesOf({ name, value }: { readonly name: string; readonly value: string }): Promise<string[]> {
  const found = await duckdb.rows(`SELECT filename AS file
    FROM read_parquet(getvariable('message_files'), filename = true)
    GROUP BY filename HAVING min(${name}) <= '${value}' AND max(${name}) >= '${value}'`);
  return found.map(({ file }) => String(file));
}

async function allFiles(): Promise<string[]> {
  return (await duckdb.rows("SELECT unnest(getvariable('message_files')) AS file")).map(({ file }) => String(file));
}

test('a time range or a lane needs no row of other files in DuckDB', async () => {
  const all = await allFiles();
  for (const range of await narrowRanges()) {
    const needed = await filesOf(range);
    expect(needed.length).toBeGreaterThan(0);
    expect(needed.length).toBeLessThan(all.length);
    const copy = await createTestDirectoryStore();
    await cp(directory.directory, copy.directory, { recursive: true });
    for (const file of all.filter((each) => !needed.includes(each))) {
      const bytes = readFileSync(file);
      bytes.fill(0, 4, bytes.length - footerLength(bytes));
      await writeFile(file.replace(directory.directory, copy.directory), bytes);
    }
    const wiped = await openDuckDB();
    await wiped.run(readWithDuckDB(join(copy.directory, 'test')));
    const question = `SELECT message_id FROM messages WHERE ${range.condition} ORDER BY message_id`;
    expect(await wiped.rows(question)).toEqual(await duckdb.rows(question));
    await expect(wiped.rows('SELECT max(message_id) FROM messages WHERE data IS NOT NULL')).rejects.toThrow();
    wiped.close();
    await copy.remove();
  }
});

test('tables and columns say in their metadata what they are', async () => {
  for (const table of TABLE_NAMES) {
    const log = join(directory.directory, 'test', table, '_delta_log', `${'0'.repeat(20)}.json`);
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    const { metaData } = lines.map((line) => JSON.parse(line)).find((line) => line.metaData) as {
      metaData: { description: string; schemaString: string };
    };
    const { fields } = JSON.parse(metaData.schemaString) as { fields: { metadata: { comment?: string } }[] };
    expect(metaData.description.length).toBeGreaterThan(50);
    expect(fields.filter(({ metadata }) => !metadata.comment)).toEqual([]);
  }
});

describe.skipIf('missing' in engines)(`polars${'missing' in engines ? ` (${engines.missing})` : ''}`, () => {
  test('counts the same by lane, day and status, and opens the tables as the page says', async () => {
    if ('missing' in engines) return;
    const opening = /```python\n([\s\S]*?)```/.exec(PAGE)![1]!.replaceAll('"cold/', 'sys.argv[1] + "/');
    const script = `
import sys, json
${opening}
rows = ${below('Messages a lane a day, by status', 'python').trim()}
texts = [f"{day},{lane},{status},{messages}" for day, lane, status, messages in rows.rows()]
print(json.dumps(dict(texts=texts, frame=len(frame), time=str(frame["ingestion_time"].dt.tz))))
`;
    const { messages } = await listed();
    expect(await engines.run(script, join(directory.directory, 'test'))).toEqual({
      texts: await countsByStatus(),
      frame: messages.length,
      time: 'UTC',
    });
  });

  test('a time range or a lane passes over files in delta-rs', async () => {
    if ('missing' in engines) return;
    const script = `
import sys, json, datetime, pyarrow.dataset as ds
from deltalake import DeltaTable
files = DeltaTable(sys.argv[1] + "/messages").to_pyarrow_dataset()
time = lambda text: datetime.datetime.fromisoformat(text)
at = lambda name, value: (ds.field(name) >= value) & (ds.field(name) <= value)
conditions = [None, at("block_time", time(sys.argv[2])), at("ingestion_time", time(sys.argv[3])), at("lane", sys.argv[4])]
print(json.dumps([len(list(files.get_fragments(filter=each))) for each in conditions]))
`;
    const ranges = await narrowRanges();
    const values = ranges.map(({ value }) => value.replace(/\+00$/, '+00:00'));
    const expected = await Promise.all([allFiles(), ...ranges.map(filesOf)]);
    expect(await engines.run(script, join(directory.directory, 'test'), ...values)).toEqual(
      expected.map(({ length }) => length),
    );
  });
});
