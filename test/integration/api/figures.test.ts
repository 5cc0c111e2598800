import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KnownVerifier, VerifierDirectory } from '../../../src/api/v2/verifiers.js';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { type RunningApi, startApi } from '../../support/api/api.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(53);
const [a, b, unserved] = [make.hex(20), make.hex(20), make.hex(20)];
const SEEN_MS = 1_790_000_000_000;

const known: readonly KnownVerifier[] = [
  {
    name: 'alpha',
    addresses: [a],
    workers: [
      { worker: 'one', breaker: 'closed', failures: 0, seenMs: SEEN_MS },
      { worker: 'two', breaker: 'open', failures: 9, seenMs: SEEN_MS + 1 },
    ],
  },
  { name: 'beta', addresses: [`0x${b.slice(2).padStart(64, '0')}`], workers: [] },
];

describe('figures of the second version', () => {
  let storage: Storage;
  let api: RunningApi;
  let position: bigint;
  const sentMs = Date.now() - 120_000;
  beforeAll(async () => {
    storage = createMemoryStorage({ name: 'hot' });
    // the last one of another OnRamp: its numbers begin anew
    const messages = Array.from({ length: 6 }, (_, n) => {
      const ccvs = n === 4 ? [unserved] : [a, b];
      const message = make.message({ ccvs, ...(n === 5 ? { onRamp: make.hex(32), messageNumber: 1n } : {}) });
      return { ...message, origin: { ...make.origin(BigInt(n)), blockTimestampMs: sentMs + n } };
    });
    const [verified, half, late, gone] = messages as [(typeof messages)[0], ...typeof messages];
    await storage.insertBatch({ messages });
    await storage.insertBatch({
      verifierResults: [
        make.result(verified, 0, { verifierName: 'alpha' }),
        make.result(verified, 1, { verifierName: 'beta' }),
        make.result(half!, 0, { verifierName: 'alpha' }),
      ],
      statuses: [
        { messageId: verified.messageId, status: 'success' },
        { messageId: late!.messageId, status: 'timeout' },
      ],
      executions: [make.execution(verified, { state: 'failure' }), make.execution(verified, { state: 'success' })],
    });
    const { messageId, origin } = gone!;
    const { committed } = await storage.insertBatch({ orphanings: [{ messageId, blockHash: origin.blockHash }] });
    position = committed!.throughPosition;
    api = await startApi(storage, {}, {}, { verifiers: () => ({ list: async () => known }) });
  });
  afterAll(async () => {
    await api.close();
    await storage.close();
  });

  const get = async (path: string) => {
    const { status, text } = await api.get(path);
    expect(status, text).toBe(200);
    return JSON.parse(text);
  };

  it('tell of each verifier what it answered, what waits for it, and how each worker finds it', async () => {
    const { verifiers, position: at } = await get('/v2/verifiers');
    expect(at).toBe(String(position));
    const seenAt = new Date(SEEN_MS).toISOString();
    expect(verifiers).toMatchObject([
      {
        name: 'alpha',
        answered: { '5m': 2, '1h': 2, '24h': 2 },
        latency: { '5m': { count: 2 } },
        // the one that was given up, and that of the other OnRamp
        waiting: 2,
        oldestWaitingAt: new Date(sentMs + 2).toISOString(),
        workers: [
          { worker: 'one', breaker: 'closed', failures: 0, seenAt },
          { worker: 'two', breaker: 'open', failures: 9 },
        ],
      },
      { name: 'beta', answered: { '24h': 1 }, waiting: 3, oldestWaitingAt: new Date(sentMs + 1).toISOString() },
    ]);
  });

  it('tell the totals of everything, which add up', async () => {
    const { windows, ...stats } = await get('/v2/stats');
    expect(stats).toEqual({
      position: String(position),
      // of the first OnRamp four stand; the one that is gone leaves a gap
      messages: { total: '5', processing: '3', success: '1', timeout: '1', orphaned: '1' },
      verifications: { total: '3' },
      executions: { total: '2', success: '1', failure: '1' },
      ...{ lanes: 1, gaps: 1 },
    });
    expect(windows['24h']).toMatchObject({ sent: 5, verified: 1 });
    expect((await storage.countMessages({})).count).toBe(5);
  });

  it('are an error where they cannot be told, never none', async () => {
    const away = new StorageUnavailableError('warm', 'read leases');
    const statusOf = async (list: VerifierDirectory['list']) => {
      const other = await startApi(storage, {}, {}, { verifiers: () => ({ list }) });
      const { status } = await other.get('/v2/verifiers');
      await other.close();
      return status;
    };
    expect(await statusOf(async () => null)).toBe(503);
    expect(await statusOf(async () => Promise.reject(away))).toBe(503);
    expect(await statusOf(async () => [])).toBe(200);
  });
});
