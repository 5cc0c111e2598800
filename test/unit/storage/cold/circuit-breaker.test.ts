import { describe, expect, it } from 'vitest';
import { createCommon } from '../../../../src/core/common.js';
import { createRequestBreaker } from '../../../../src/storage/cold/object-store/s3/circuit-breaker.js';
import { type S3FailureKind, S3RequestFailure } from '../../../../src/storage/cold/object-store/s3/s3-failures.js';
import { createManualClock } from '../../../support/manual-clock.js';

const LEFT_ALONE = { code: 'OBJECT_STORE_UNAVAILABLE' };

const FACTS: Partial<Record<S3FailureKind, Readonly<Record<string, unknown>>>> = {
  server_error: { name: 'InternalError', status: 500, said: 'We are down' },
};

function setUp() {
  const clock = createManualClock();
  const common = createCommon({ clock });
  const breaker = createRequestBreaker(common);
  let made = 0;
  const run = (kind: S3FailureKind | null) =>
    breaker.run(async () => {
      made += 1;
      if (kind) throw new S3RequestFailure(kind, FACTS[kind] ?? {});
      return made;
    });
  const fail = async (times: number, kind: S3FailureKind) => {
    for (let i = 0; i < times; i += 1) await expect(run(kind)).rejects.toMatchObject({ kind });
  };
  const status = async () =>
    (await common.metrics.getSingleMetric('indexer_object_store_circuit_status_bool')?.get())?.values[0]?.value;
  return { clock, run, fail, status, made: () => made };
}

describe('the circuit of an object store', () => {
  it('opens after attempts in a row that were not answered, asks again after a while, and closes with an answer', async () => {
    const { clock, run, fail, status, made } = setUp();
    await fail(4, 'connection');
    expect(await status()).toBe(1);
    await expect(run(null)).rejects.toMatchObject(LEFT_ALONE);
    expect(made()).toBe(4);
    await clock.advance(1_000);
    await fail(1, 'timeout');
    await clock.advance(1_000);
    await expect(run(null)).rejects.toMatchObject(LEFT_ALONE);
    await clock.advance(1_000);
    expect(await run(null)).toBe(6);
    expect(await status()).toBe(0);
  });

  it('says why it was opened as long as it is open', async () => {
    const { clock, run, fail } = setUp();
    await fail(4, 'server_error');
    const reason = 'server_error (InternalError, HTTP 500, We are down)';
    await expect(run(null)).rejects.toThrow(`left alone for some seconds: ${reason}`);
    await expect(run(null)).rejects.toMatchObject({ details: { reason, failures: 4 } });
    await clock.advance(1_000);
    await fail(1, 'server_error');
    await expect(run(null)).rejects.toMatchObject({ details: { reason, failures: 5 } });
  });

  it('takes every refusal for an answer', async () => {
    const { run, fail, made } = setUp();
    await fail(3, 'server_error');
    await fail(1, 'not_found');
    await fail(3, 'server_error');
    await fail(20, 'refused');
    expect(await run(null)).toBe(made());
  });

  it('an answer that is a refusal closes it', async () => {
    const { clock, run, fail } = setUp();
    await fail(4, 'timeout');
    await clock.advance(1_000);
    await fail(1, 'precondition');
    expect(await run(null)).toBe(6);
  });
});
