import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { silentLogger } from '../../../src/core/logger.js';
import {
  type ListQuery,
  type MessageListQuery,
  type ResolvedListQuery,
  resolveListQuery,
  resolveRange,
} from '../../../src/model/list-query.js';
import { createAdvanceHub } from '../../../src/storage/postgres/clock/advance-hub.js';
import { parseNamespace } from '../../../src/storage/postgres/connection/namespace.js';
import { createPool } from '../../../src/storage/postgres/connection/pool.js';
import { DEFAULT_POOL_SETTINGS } from '../../../src/storage/postgres/connection/pool-settings.js';
import { createSockets } from '../../../src/storage/postgres/connection/sockets.js';
import type { Call } from '../../../src/storage/postgres/connection/transaction.js';
import {
  createTransactionRunner,
  type TransactionRunner,
} from '../../../src/storage/postgres/connection/transaction-runner.js';
import { createChangeReads } from '../../../src/storage/postgres/read/change-reads.js';
import { createExecutionReads } from '../../../src/storage/postgres/read/execution-reads.js';
import { createListReads } from '../../../src/storage/postgres/read/list-reads.js';
import { createMessageReads } from '../../../src/storage/postgres/read/message-reads.js';
import { createTransactionReads } from '../../../src/storage/postgres/read/transaction-reads.js';
import { toText } from '../../../src/storage/postgres/rows/columns.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';

const ROWS = 60_000;
const CHAINS = 6;
const BIG_TABLES = ['messages', 'verifier_results', 'message_bodies', 'executions', 'list_counts', 'pruned_ids'];
/** Entries that the counters leave to be passed over: two records a millisecond of a block. */
const BLOCK_ROWS = 512;
/** Counters of a place or a count. */
const COUNTERS = 600;
/** Two records a commit and time. */
const FIRST_MS = 1_000;
const MIDDLE_MS = FIRST_MS + ROWS / 4;

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly Plan[];
}

/** Without statistics, as right after a bulk load; and with them. */
describe.each(['no statistics yet', 'fresh statistics'])('on %s, with 60 000 messages and results', (statistics) => {
  let database: TestDatabase;
  let client: pg.Client;
  let runner: TransactionRunner;
  let seen: { label: string; rowsRead: number; plan: Plan }[];
  let reads: ReturnType<typeof createReads>;

  beforeAll(async () => {
    database = await createTestDatabase();
    for (const table of BIG_TABLES) await database.sql(`ALTER TABLE ccv.${table} SET (autovacuum_enabled = off)`);
    await database.sql(FILL);
    if (statistics === 'fresh statistics') await database.sql('VACUUM ANALYZE');
    const common = createCommon();
    const sockets = createSockets(common.clock);
    const settings = { ...DEFAULT_POOL_SETTINGS, maxOpenConnections: 2 };
    const address = database.connection;
    const pool = createPool({ address, settings, common, name: 'plans', mark: '', sockets });
    runner = createTransactionRunner({ pool, sockets, common, name: 'plans', repeatForMs: 0 });
    client = new pg.Client(database.connection);
    await client.connect();
    reads = createReads();
  });
  afterAll(async () => {
    await client.end();
    await runner.close();
    await database.drop();
  });

  /** The real reads, each explained and counted as it goes by. */
  function createReads() {
    const namespace = parseNamespace('ccv');
    const look = async (label: string, call: Call) => {
      const explained = await runner.write(label, async (transaction) => {
        const statement = { name: '', text: `EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${call.statement.text}` };
        return await transaction.query(statement);
      });
      const rowsRead = await runner.write(label, async (transaction) => {
        const count = async () => Number((await transaction.query({ name: 'counts', text: COUNTS }))[0]?.[0]);
        const before = await count();
        await transaction.query(call.statement, call.values);
        return (await count()) - before;
      });
      const [{ Plan: plan }] = JSON.parse(toText(explained[0]?.[0]));
      seen.push({ label, rowsRead, plan });
    };
    const read: TransactionRunner['read'] = async (label, call) => {
      await look(label, call);
      return await runner.read(label, call);
    };
    const readSent: TransactionRunner['readSent'] = async (label, call) => {
      await look(label, call);
      return await runner.readSent(label, call);
    };
    const context = { name: 'plans', clock: systemClock, read, readSent, hub: createAdvanceHub(silentLogger, 'warm') };
    return {
      lists: createListReads(namespace, context),
      messages: createMessageReads(namespace, context),
      executions: createExecutionReads(namespace, context),
      ofTransaction: createTransactionReads(namespace, context),
      changes: createChangeReads(namespace, context, createCommon()),
    };
  }

  /** Fails unless the work reads its answer, and little else, through indexes. */
  async function expectIndexed(work: () => Promise<unknown>, mostRows: number): Promise<void> {
    seen = [];
    await work();
    expect(seen.length).toBeGreaterThan(0);
    for (const { plan, rowsRead } of seen) {
      for (const node of nodesOf(plan)) {
        if (!BIG_TABLES.includes(node['Relation Name'] ?? '')) continue;
        expect(node['Node Type'], JSON.stringify(plan, null, 1)).toMatch(/^Index (Only )?Scan$/);
        expect(node['Index Cond'], JSON.stringify(node, null, 1)).toBeDefined();
      }
      expect(rowsRead, JSON.stringify(plan, null, 1)).toBeLessThanOrEqual(mostRows);
    }
  }

  const unknown = Array.from({ length: 497 }, (_, index) => 2n ** 63n - BigInt(index));
  const filters: Record<string, Pick<ListQuery, 'sourceChainSelectors' | 'destChainSelectors'>> = {
    'no filter': {},
    'one source': { sourceChainSelectors: [1n] },
    'two destinations': { destChainSelectors: [2n, 3n] },
    'sources and destinations': { sourceChainSelectors: [1n, 4n], destChainSelectors: [2n, 5n, 6n] },
    'five hundred of each': {
      sourceChainSelectors: [1n, 4n, ...unknown],
      destChainSelectors: [2n, 5n, 6n, ...unknown],
    },
    'a lane that is not there': { sourceChainSelectors: [77n], destChainSelectors: [78n] },
  };
  const key = {
    ingestionMs: MIDDLE_MS,
    messageId: `0x${'80'.repeat(32)}` as const,
    verifierSourceAddress: '0x' as const,
    verifierDestAddress: '0x' as const,
  };
  const ranges: Record<string, { query: Partial<ResolvedListQuery>; skipped: number }> = {
    everything: { query: {}, skipped: 0 },
    'a range in the middle': { query: { startMs: MIDDLE_MS, endMs: MIDDLE_MS + 5_000 }, skipped: 0 },
    'the end': { query: { startMs: FIRST_MS + ROWS / 2 - 10 }, skipped: 0 },
    'after a cursor': { query: { after: key }, skipped: 0 },
    'a deep offset': { query: { offset: 4_000 }, skipped: 4_000 },
  };
  const cases = Object.entries(filters).flatMap(([filter, chains]) =>
    Object.entries(ranges).map(([range, { query, skipped }]) => ({
      filter,
      range,
      skipped,
      query: { ...resolveListQuery(chains), ...query },
    })),
  );

  test.each(cases)('a page of $range with $filter reads the rows it gives', async ({ query, skipped, filter }) => {
    // up to twelve lanes give a page each before they are merged; a page's rows are read by key, with their bodies
    const lanes = filter === 'no filter' ? 1 : 2 * CHAINS;
    const passed = filter === 'no filter' ? Math.min(skipped, BLOCK_ROWS + COUNTERS) : skipped;
    const most = lanes * (passed + 110) + 3 * 110;
    await expectIndexed(() => reads.lists.list('verifierResult', query), most);
    await expectIndexed(() => reads.lists.list('message', query), most);
  });

  const address = (n: number): Hex => `0x${n.toString(16).padStart(40, '0')}`;
  const contents: Record<string, { query: MessageListQuery; addresses: number }> = {
    'a sender': { query: { senders: [address(3)] }, addresses: 1 },
    'two receivers of a seventh each': { query: { receivers: [address(3), address(4)] }, addresses: 2 },
    'a token': { query: { tokens: [address(5)] }, addresses: 1 },
    nobody: { query: { senders: [address(99_999)] }, addresses: 1 },
  };
  test.each(Object.entries(contents))('a page of messages with %s reads the rows it gives', async (_, wanted) => {
    for (const { query } of Object.values(ranges)) {
      const page = { ...resolveListQuery(wanted.query), ...query, offset: 0 };
      await expectIndexed(() => reads.lists.list('message', page), wanted.addresses * 110 + 3 * 110);
    }
    const middle = { startMs: MIDDLE_MS, endMs: MIDDLE_MS + 1_000, ...wanted.query };
    await expectIndexed(() => reads.lists.count('message', resolveRange(middle)), 800);
  });

  test('a page of some message numbers of a lane reads these', async () => {
    const [fromMessageNumber, throughMessageNumber] = [30_000n, 31_000n];
    const lane = { sourceChainSelectors: [1n], destChainSelectors: [2n] };
    const query = { ...resolveListQuery({ ...lane, fromMessageNumber, throughMessageNumber }), limit: 20 };
    await expectIndexed(() => reads.lists.list('message', query), 200);
  });

  test.each(Object.entries(filters))('a count with %s reads what it counts', async (_, chains) => {
    const range = { startMs: MIDDLE_MS, endMs: MIDDLE_MS + 1_000 };
    await expectIndexed(() => reads.lists.count('verifierResult', resolveRange({ ...range, ...chains })), 2_100);
    await expectIndexed(() => reads.lists.count('message', resolveRange({ ...range, ...chains })), 2_100);
  });

  test('a count of everything, and a page in the middle of it, read counters', async () => {
    for (const kind of ['verifierResult', 'message'] as const) {
      await expectIndexed(() => reads.lists.count(kind, resolveRange({})), COUNTERS);
      const middle = { ...resolveListQuery({ limit: 50 }), offset: ROWS / 2 };
      await expectIndexed(() => reads.lists.list(kind, middle), BLOCK_ROWS + COUNTERS + 4 * 60);
    }
  });

  test('by id, by block, unfinished and by position, each reads what it gives', async () => {
    const { rows } = await database.sql(`SELECT encode(message_id, 'hex') AS id FROM ccv.messages LIMIT 1`);
    const id = `0x${rows[0].id}` as const;
    await expectIndexed(() => reads.messages.getCCVData(id), 5);
    await expectIndexed(() => reads.messages.getMessage(id), 5);
    await expectIndexed(() => reads.messages.aboveBlock(1n, BigInt(ROWS - 300)), 300);
    await expectIndexed(() => reads.executions.ofMessage(id), 5);
    await expectIndexed(() => reads.ofTransaction(id), 5);
    await expectIndexed(() => reads.executions.aboveBlock(2n, BigInt(ROWS - 300)), 300);
    await expectIndexed(() => reads.messages.unfinished({ limit: 50 }), 160);
    await expectIndexed(() => reads.messages.unfinished({ limit: 50, after: key }), 160);
    await expectIndexed(() => reads.changes.changesAfter(BigInt(ROWS), 50), 400);
    await expectIndexed(() => reads.changes.boundaryAt({ ms: MIDDLE_MS }), 0);
    await expectIndexed(() => reads.changes.boundaryAt({ position: BigInt(ROWS) }), 0);
  });
});

function* nodesOf(plan: Plan): Generator<Plan> {
  yield plan;
  for (const child of plan.Plans ?? []) yield* nodesOf(child);
}

/** Rows of the big tables that this connection has lately read, by whatever way. */
const COUNTS = `SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables
  WHERE schemaname = 'ccv' AND relname IN (${BIG_TABLES.map((table) => `'${table}'`).join(', ')})`;

/** Two messages a time, each with one result, over 36 lanes; every tenth is unfinished. */
const FILL = `
  INSERT INTO ccv.message_bodies (message_id, first_ms, body_hash, body)
    SELECT sha256(n::text::bytea), ${FIRST_MS} + n / 2, sha256('body'), decode('0000' || repeat('01', 79), 'hex')
    FROM generate_series(0, ${ROWS - 1}) n;
  INSERT INTO ccv.messages (message_id, source_chain, dest_chain, ingestion_ms, position, status, orphaned,
      block_number, block_hash, block_timestamp_ms, transaction_hash, log_index, sender, receiver, token, message_number)
    SELECT sha256(n::text::bytea), 1 + n % ${CHAINS}, 1 + (n / ${CHAINS}) % ${CHAINS}, ${FIRST_MS} + n / 2, 2 * n + 1,
      CASE WHEN n % 10 = 0 THEN 0 ELSE 1 END, false, n, sha256('block'), n, sha256(n::text::bytea), 1,
      decode(lpad(to_hex(n % 200), 40, '0'), 'hex'), decode(lpad(to_hex(n % 7), 40, '0'), 'hex'),
      CASE WHEN n % 3 = 0 THEN decode(lpad(to_hex(n % 11), 40, '0'), 'hex') END, n + (-9223372036854775807 - 1)
    FROM generate_series(0, ${ROWS - 1}) n;
  INSERT INTO ccv.verifier_results (message_id, verifier_source, verifier_dest, source_chain, dest_chain, ingestion_ms,
      position, attestation_ms, orphaned, verifier_name, ccv_data)
    SELECT sha256(n::text::bytea), '\\x01', '\\x02', 1 + n % ${CHAINS}, 1 + (n / ${CHAINS}) % ${CHAINS},
      ${FIRST_MS} + n / 2, 2 * n + 2, 0, false, 'a', '\\x03'
    FROM generate_series(0, ${ROWS - 1}) n;
  INSERT INTO ccv.executions (message_id, block_hash, log_index, source_chain, dest_chain, message_number, block_number,
      block_timestamp_ms, ingestion_ms, position, state, orphaned, off_ramp, transaction_hash, return_data)
    SELECT sha256(n::text::bytea), sha256('block'), n, 1, 2, n, n, n, ${FIRST_MS}, ${2 * ROWS} + n, 2, false, '\\x01',
      sha256(n::text::bytea), '\\x'
    FROM generate_series(0, ${ROWS - 1}) n;
  INSERT INTO ccv.list_counts SELECT record, level, (${FIRST_MS} + n / 2)::bigint >> (8 * (level + 1)), count(*)
    FROM generate_series(0, ${ROWS - 1}) n, generate_series(0, 1) record, generate_series(0, 3) level GROUP BY 1, 2, 3;
  INSERT INTO ccv.lanes SELECT s, d FROM generate_series(1, ${CHAINS}) s, generate_series(1, ${CHAINS}) d;
  INSERT INTO ccv.commits SELECT 4 * n + 4, ${FIRST_MS} + n, 0 FROM generate_series(0, ${ROWS / 2 - 1}) n;
  UPDATE ccv.ingest_clock SET last_ms = ${FIRST_MS + ROWS / 2 - 1}, last_position = ${2 * ROWS}, head_position = ${2 * ROWS},
    counted_position = ${2 * ROWS}
`;
