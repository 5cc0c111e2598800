import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { laneViews } from '../../../src/lanes/lane-views.js';
import { createLanes } from '../../../src/lanes/lanes.js';
import type { NewMessage } from '../../../src/model/records.js';
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import { type RunningApi, startApi } from '../../support/api/api.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

const make = createRecordMaker(31);
const ccvs = [make.hex(20), make.hex(20)];
const onRamp = make.hex(32);
const lane = { sourceChainSelector: SELECTORS.low, destChainSelector: SELECTORS.high };
const NAME = `${SELECTORS.low}-${SELECTORS.high}`;

describe('lanes of the second version, from Postgres', () => {
  let database: TestDatabase;
  let storage: PostgresStorage;
  let api: RunningApi;
  let sent: readonly NewMessage[];

  beforeAll(async () => {
    database = await createTestDatabase();
    storage = createPostgresStorage({ connection: database.connection });
    api = await startApi(storage);
  });
  afterAll(async () => {
    await api.close();
    await storage.close();
    await database.drop();
  });

  const get = async (path: string) => {
    const { status, text } = await api.get(path);
    expect(status, text).toBe(200);
    return JSON.parse(text);
  };

  /** A message that was sent `agoMs` ago. */
  function message(messageNumber: bigint, agoMs: number, wish: { onRamp: Hex } = { onRamp }): NewMessage {
    const made = make.message({ ...lane, ...wish, ccvs, messageNumber });
    return { ...made, origin: { ...make.origin(messageNumber), blockTimestampMs: Date.now() - agoMs } };
  }

  const laneAt = async (position: bigint) => {
    let found: { lanes: readonly Record<string, never>[]; position: string } | undefined;
    await eventually('the board has come there', async () => {
      found = await get('/v2/lanes');
      return BigInt(found?.position ?? 0) >= position;
    });
    return found?.lanes[0];
  };

  it('tell numbers, gaps, messages that wait and for which CCV, and how long the steps took', async () => {
    expect(await get('/v2/lanes')).toEqual({ lanes: [], position: '0' });
    sent = [3n, 4n, 7n].map((number) => message(number, 60_000));
    const { committed: first } = await storage.insertBatch({ messages: sent });
    const [done, half] = sent as [NewMessage, NewMessage];
    const success = make.execution(done, { state: 'success' });
    const { committed } = await storage.insertBatch({
      verifierResults: [make.result(done, 0), make.result(done, 1), make.result(half, 1)],
      executions: [{ ...success, place: { ...success.place, blockTimestampMs: Date.now() - 1_000 } }],
      statuses: [
        { messageId: done.messageId, status: 'success' },
        { messageId: half.messageId, status: 'timeout' },
      ],
    });
    const told = await laneAt(committed!.throughPosition);
    expect(told).toMatchObject({
      sourceChainSelector: String(SELECTORS.low),
      destChainSelector: String(SELECTORS.high),
      onRamps: [
        {
          ...{ address: onRamp, firstNumber: '3', highestNumber: '7', contiguousNumber: '4', missing: '2' },
          gaps: [{ fromNumber: '5', throughNumber: '6', since: new Date(first!.ingestionMs).toISOString() }],
        },
      ],
      waiting: { messages: 2, timedOut: 1 },
    });
    expect(told!['waiting']!['byCCV']).toMatchObject([
      { address: ccvs[0], messages: 2 },
      { address: ccvs[1], messages: 1 },
    ]);
    for (const window of ['5m', '1h', '24h']) {
      const figures: Record<string, { count: number; p50Ms: number }> = told!['windows']![window]!;
      expect(figures).toMatchObject({ sent: 3, verified: 1, executed: 1 });
      expect(figures['sentToVerified']!.count).toBe(1);
      expect(figures['sentToExecuted']!.p50Ms).toBeGreaterThan(59_000 * 0.95);
      expect(figures['sentToExecuted']!.p50Ms).toBeLessThan(59_000 * 1.05);
    }
    const { series, ...detail } = await get(`/v2/lanes/${NAME}`);
    expect(detail).toMatchObject({ onRamps: told!['onRamps'], waiting: told!['waiting'] });
    const total = (name: string) => series.reduce((sum: number, span: Record<string, number>) => sum + span[name]!, 0);
    expect([total('sent'), total('verified'), total('executed')]).toEqual([3, 1, 1]);
  });

  it('are chosen by source and destination', async () => {
    expect((await get(`/v2/lanes?source=${SELECTORS.low},1&dest=${SELECTORS.high}`)).lanes).toHaveLength(1);
    expect((await get(`/v2/lanes?source=${SELECTORS.high}`)).lanes).toHaveLength(0);
  });

  it('give the contiguous part of their messages, which grows when a gap is filled and shrinks with a reorg', async () => {
    const numbers = async () => {
      const { messages } = await get(
        `/v2/messages?source=${SELECTORS.low}&dest=${SELECTORS.high}&contiguous=true&order=oldest`,
      );
      return messages.map(({ messageNumber }: { messageNumber: string }) => Number(messageNumber)).sort();
    };
    expect(await numbers()).toEqual([3, 4]);
    await storage.insertBatch({ messages: [message(5n, 0), message(6n, 0)] });
    expect(await numbers()).toEqual([3, 4, 5, 6, 7]);
    const gone = sent[1]!;
    await storage.insertBatch({ orphanings: [{ messageId: gone.messageId, blockHash: gone.origin!.blockHash }] });
    expect(await numbers()).toEqual([3]);
    await storage.insertBatch({ messages: [message(4n, 0)] });
    expect(await numbers()).toEqual([3, 4, 5, 6, 7]);
  });

  it('are counted on from a kept board, which is thrown away when it is of another history', async () => {
    const records = storage.laneRecords;
    const common = createCommon();
    const first = createLanes({ storage, records, keeps: true, keepAfterChanges: 1, common });
    const board = await first.board();
    await eventually('the board is kept', async () => (await records.board())?.position === board.position);
    const asked: bigint[] = [];
    const counted = async () => {
      asked.length = 0;
      const lanes = createLanes({
        storage: {
          changesAfter: async (position) => {
            asked.push(position);
            return await storage.changesAfter(position);
          },
          subscribe: (listener) => storage.subscribe(listener),
        },
        records,
        common,
      });
      const nowMs = Date.now();
      expect(laneViews(await lanes.board(), nowMs, () => true)).toEqual(laneViews(board, nowMs, () => true));
      await lanes.close();
    };
    await counted();
    expect(asked[0]).toBe(board.position);
    const kept = (await records.board())!;
    await database.sql('UPDATE ccv.lane_boards SET ingestion_ms = ingestion_ms - 1');
    await counted();
    expect(asked).toContain(0n);
    await database.sql('UPDATE ccv.lane_boards SET board = $1', [Buffer.from(kept.bytes).subarray(1)]);
    await counted();
    expect(asked[0]).toBe(0n);
    await first.close();
  });

  it('keep the numbers of an upgraded OnRamp apart', async () => {
    const upgraded = make.hex(32);
    const { committed } = await storage.insertBatch({ messages: [message(1n, 0, { onRamp: upgraded })] });
    const told = await laneAt(committed!.throughPosition);
    expect((told!['onRamps'] as unknown as { address: Hex; contiguousNumber: string }[]).map((each) => each)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ address: upgraded, contiguousNumber: '1', gaps: [] }),
        expect.objectContaining({ address: onRamp, contiguousNumber: '7', gaps: [] }),
      ]),
    );
  });
});
