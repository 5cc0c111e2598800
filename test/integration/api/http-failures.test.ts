import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/core/clock.js';
import { IndexerError } from '../../../src/core/errors.js';
import { createLogger } from '../../../src/core/logger.js';
import { CoverageGapError, StorageUnavailableError } from '../../../src/model/storage-errors.js';
import type { Storage } from '../../../src/storage/storage.js';
import { apiFixture } from '../../support/api/api-fixture.js';
import { createRecordMaker } from '../../support/records.js';

const maker = createRecordMaker(3);
const { start } = apiFixture(() => maker.results(3));

const failing = (error: unknown): Partial<Storage> => {
  const fail = () => Promise.reject(error);
  return { getCCVData: fail, queryCCVData: fail, queryMessages: fail, health: fail };
};

describe('when storage cannot answer', () => {
  const PATHS = [
    `/v1/verifierresults/0x${'11'.repeat(32)}`,
    '/v1/verifierresults',
    '/v1/messages',
    '/v1/messages?limit=0',
  ];

  it('says 503 and names what nobody can answer for, never 200 with less', async () => {
    const gap = { kind: 'time', startMs: 1_767_323_045_678, endMs: Number.POSITIVE_INFINITY } as const;
    const api = await start({}, failing(new CoverageGapError(gap, 'pg-main-1')));
    for (const path of PATHS) {
      const answer = await api.get(path);
      expect([answer.status, answer.json()]).toEqual([
        503,
        {
          success: false,
          status: 503,
          message: 'storage cannot answer now for ingestion times 2026-01-02T03:04:05.678Z to now',
        },
      ]);
      expect(answer.headers['retry-after']).toBe('1');
    }
  });

  it('says no word of what is behind it, and logs it with the request id', async () => {
    const cause = new Error('select * from results: connect ECONNREFUSED 10.9.8.7:5432');
    const lines: string[] = [];
    const log = createLogger({
      level: 'info',
      format: 'json',
      destination: { write: (line) => void lines.push(line) },
    });
    const failures = [
      new StorageUnavailableError('pg-main-1', 'query', { cause }),
      cause,
      new IndexerError('X', 'pg-main-1', false, { cause }),
    ];
    for (const failure of failures) {
      const api = await start({}, failing(failure), { log });
      for (const path of PATHS) {
        const answer = await api.get(path, { 'x-request-id': 'trace-7' });
        const expected =
          failure === failures[0]
            ? { success: false, status: 503, message: 'storage cannot answer now' }
            : { success: false, status: 500, message: 'internal error (request trace-7)' };
        expect(answer.json()).toEqual(expected);
        expect(answer.status).toBe(expected.status);
      }
    }
    expect(lines.filter((line) => line.includes('"requestId":"trace-7"') && line.includes('10.9.8.7'))).toHaveLength(
      12,
    );
  });

  it('is not ready: unhealthy, failing, or silent', async () => {
    const unready = '{"success":false,"status":503,"message":"storage cannot answer now"}';
    const unhealthy = await start({}, { health: async () => ({ healthy: false, reason: 'pg-main-1 refused' }) });
    expect((await unhealthy.get('/ready')).text).toBe(unready);
    expect((await unhealthy.get('/health')).status).toBe(200);
    const broken = await start({}, failing(new StorageUnavailableError('pg-main-1', 'ping')));
    expect((await broken.get('/ready')).text).toBe(unready);
    // a hundred times faster, so that the test need not wait for the limit
    const after: Clock['after'] = (durationMs, callback) => systemClock.after(durationMs / 100, callback);
    const silent = await start(
      {},
      { health: () => new Promise(() => undefined) },
      { clock: { ...systemClock, after } },
    );
    expect((await silent.get('/ready')).text).toBe(unready);
  });
});
