import { describe, expect, it } from 'vitest';
import { errorAnswer, errorBody, HttpError } from '../../../src/api/http/http-error.js';
import { AbortedError, ClosedError, InvalidArgumentError } from '../../../src/core/errors.js';
import {
  CCVDataNotFoundError,
  CoverageGapError,
  MessageNotFoundError,
  StorageFailureError,
  StorageUnavailableError,
} from '../../../src/model/storage-errors.js';

const ID = `0x${'11'.repeat(32)}` as const;
const SECRET = new Error('connect ECONNREFUSED db-1.internal:5432 password=hunter2');

describe('what a client is told about a failure', () => {
  it.each([
    [new InvalidArgumentError('bad limit: must be less'), 400, 'bad limit: must be less'],
    [new CCVDataNotFoundError(ID), 404, 'MessageID not found'],
    [new MessageNotFoundError(ID), 404, 'MessageID not found'],
    [
      new CoverageGapError({ kind: 'time', startMs: 0, endMs: Number.POSITIVE_INFINITY }, 'pg-main-1'),
      503,
      'storage cannot answer now for ingestion times 1970-01-01T00:00:00.000Z to now',
    ],
    [
      new CoverageGapError({ kind: 'messageId', messageId: ID }, 'pg-main-1'),
      503,
      `storage cannot answer now for message ${ID}`,
    ],
    [new StorageUnavailableError('pg-main-1', 'query', { cause: SECRET }), 503, 'storage cannot answer now'],
    [new ClosedError('pg-main-1'), 503, 'the indexer is shutting down'],
    [new AbortedError('query'), 503, 'the indexer is shutting down'],
    [new HttpError(405, 'method not allowed: use GET'), 405, 'method not allowed: use GET'],
    [new StorageFailureError('pg-main-1', 'query', { cause: SECRET }), 500, 'internal error (request r1)'],
    [SECRET, 500, 'internal error (request r1)'],
    ['a string', 500, 'internal error (request r1)'],
    [undefined, 500, 'internal error (request r1)'],
  ])('%s', (thrown, status, message) => {
    expect(errorAnswer(thrown, 'r1')).toEqual({ status, message });
  });

  it('is written as existing clients read it', () => {
    expect(errorBody({ status: 400, message: 'bad "x"' })).toBe(
      '{"success":false,"status":400,"message":"bad \\"x\\""}',
    );
  });
});
