import { describe, expect, it, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { AbortedError } from '../../../src/core/errors.js';
import { createRateLimiter } from '../../../src/core/rate-limiter.js';
import { createResilience } from '../../../src/verifiers/resilience.js';
import { VerifierUnavailableError } from '../../../src/verifiers/verifier-errors.js';
import { createManualClock } from '../../support/manual-clock.js';

function setUp(overrides: { retries?: number; maxConcurrentRequests?: number; maxQueuedRequests?: number } = {}) {
  const clock = createManualClock();
  const common = createCommon({ clock, random: () => 1 });
  const resilience = createResilience({
    verifier: 'v',
    maxConcurrentRequests: overrides.maxConcurrentRequests ?? 10,
    maxQueuedRequests: overrides.maxQueuedRequests ?? 10,
    failuresToOpen: 3,
    openBackoff: { baseMs: 1_000, maxMs: 4_000 },
    retries: overrides.retries ?? 0,
    retryBackoff: { baseMs: 100, maxMs: 200 },
    countsAgainstService: (error) => error instanceof VerifierUnavailableError,
    lastFailure: () => ({ reason: 'server (HTTP 500)', failures: 3 }),
    isTransient: (error) => error instanceof VerifierUnavailableError,
    common,
  });
  const gaugeValue = async () =>
    (await common.metrics.getSingleMetric('indexer_circuit_breaker_status_bool')?.get())?.values[0]?.value;
  return { clock, common, resilience, gaugeValue, signal: new AbortController().signal };
}

const fails = async () => {
  throw new VerifierUnavailableError('v', 'server', { status: 500 });
};

test('each request is timed and each failure counted, for dashboards of the Go indexer', async () => {
  const { clock, common, resilience, signal } = setUp({ retries: 1 });
  const read = async (name: string) => (await common.metrics.getSingleMetric(name)?.get())?.values ?? [];
  expect(await read('indexer_offchain_read_errors')).toEqual([{ value: 0, labels: { target: 'v' } }]);
  let tries = 0;
  const result = resilience.execute(async () => (++tries === 1 ? await fails() : await clock.sleep(2_000)), signal);
  await clock.advance(5_000);
  await result;
  expect(await read('indexer_offchain_read_errors')).toEqual([{ value: 1, labels: { target: 'v' } }]);
  const sums = (await read('indexer_offchain_read_duration')).filter((value) =>
    (value as { readonly metricName?: string }).metricName?.endsWith('_sum'),
  );
  expect(sums.map(({ value, labels }) => ({ value, labels }))).toEqual([
    { value: 0, labels: { target: 'v', errored: 'true' } },
    { value: 2, labels: { target: 'v', errored: 'false' } },
  ]);
});

describe('the circuit of a verifier', () => {
  it('opens after failures in a row, is tried after a while that doubles, and closes with a success', async () => {
    const { clock, resilience, gaugeValue, signal } = setUp();
    for (let i = 0; i < 3; i++)
      await expect(resilience.execute(fails, signal)).rejects.toMatchObject({ kind: 'server' });
    expect(resilience.circuit()).toBe('open');
    expect(await gaugeValue()).toBe(1);

    let calls = 0;
    const works = async () => ++calls;
    await expect(resilience.execute(works, signal)).rejects.toMatchObject({ kind: 'circuit-open' });
    await clock.advance(999);
    await expect(resilience.execute(works, signal)).rejects.toMatchObject({ kind: 'circuit-open' });
    expect(calls).toBe(0);

    await clock.advance(1);
    await expect(resilience.execute(fails, signal)).rejects.toMatchObject({ kind: 'server' });
    expect(resilience.circuit()).toBe('open');
    await clock.advance(1_999);
    await expect(resilience.execute(works, signal)).rejects.toMatchObject({ kind: 'circuit-open' });
    await clock.advance(1);
    expect(await resilience.execute(works, signal)).toBe(1);
    expect(resilience.circuit()).toBe('closed');
    expect(await gaugeValue()).toBe(0);
  });

  it('stays closed over failures that say nothing about the service', async () => {
    const { resilience, signal } = setUp();
    for (let i = 0; i < 10; i++)
      await expect(resilience.execute(() => Promise.reject(new TypeError('ours')), signal)).rejects.toThrow('ours');
    expect(resilience.circuit()).toBe('closed');
  });
});

describe('a request', () => {
  it('is tried again after a pause that doubles, as often as configured', async () => {
    const { clock, resilience, signal } = setUp({ retries: 2 });
    const timesMs: number[] = [];
    const result = resilience.execute(() => {
      timesMs.push(clock.monotonicMs());
      return fails();
    }, signal);
    const end = expect(result).rejects.toMatchObject({ kind: 'server' });
    await clock.advance(1_000);
    await end;
    expect(timesMs).toEqual([0, 100, 300]);
    expect(clock.pending).toBe(0);
  });

  it('waits as long as the service asked for', async () => {
    const { clock, resilience, signal } = setUp({ retries: 1 });
    let calls = 0;
    const result = resilience.execute(async () => {
      if (calls++ === 0) throw new VerifierUnavailableError('v', 'rate-limited', { status: 429, retryAfterMs: 5_000 });
      return 'fine';
    }, signal);
    await clock.advance(4_999);
    expect(calls).toBe(1);
    await clock.advance(1);
    expect(await result).toBe('fine');
  });

  it('says that a request was aborted before it was sent, also while the queue is full', async () => {
    const { resilience, signal } = setUp({ maxConcurrentRequests: 1, maxQueuedRequests: 1 });
    let end: (() => void) | undefined;
    const first = resilience.execute(() => new Promise<void>((resolve) => (end = resolve)), signal);
    const second = resilience.execute(async () => undefined, signal);
    await expect(resilience.execute(async () => undefined, AbortSignal.abort())).rejects.toBeInstanceOf(AbortedError);
    end?.();
    await Promise.all([first, second]);
  });

  it('waits for a slot, and is refused when too many wait already', async () => {
    const { resilience, signal, clock } = setUp({ maxConcurrentRequests: 1, maxQueuedRequests: 1 });
    let release: () => void = () => undefined;
    const first = resilience.execute(
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
      signal,
    );
    const second = resilience.execute(async () => 'second', signal);
    await expect(resilience.execute(async () => 'third', signal)).rejects.toMatchObject({ kind: 'overloaded' });
    release();
    await first;
    expect(await second).toBe('second');
    await clock.settle();
  });

  it('ends as aborted while it waits for its next try', async () => {
    const { resilience, clock } = setUp({ retries: 5 });
    const abort = new AbortController();
    const result = resilience.execute(fails, abort.signal);
    const end = expect(result).rejects.toMatchObject({ code: 'ABORTED' });
    await clock.settle();
    abort.abort();
    await end;
    expect(clock.pending).toBe(0);
  });
});

describe('the rate limit', () => {
  it('lets a burst through, then one at a time, and nobody during a pause', async () => {
    const clock = createManualClock();
    const limiter = createRateLimiter({ perSecond: 10, burst: 3, clock });
    const timesMs: number[] = [];
    const take = () => void limiter.take().then(() => timesMs.push(clock.monotonicMs()));
    for (let i = 0; i < 6; i++) take();
    await clock.advance(1_000);
    expect(timesMs).toEqual([0, 0, 0, 100, 200, 300]);
    limiter.pause(500);
    take();
    await clock.advance(1_000);
    expect(timesMs.at(-1)).toBe(1_500);
  });
});
