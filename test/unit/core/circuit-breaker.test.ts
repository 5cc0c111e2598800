import { describe, expect, it } from 'vitest';
import { CircuitBreaker, type CircuitState } from '../../../src/core/circuit-breaker.js';
import { createManualClock } from '../../support/manual-clock.js';

function setUp() {
  const clock = createManualClock();
  const states: CircuitState[] = [];
  const breaker = new CircuitBreaker({
    clock,
    failuresToOpen: 2,
    openBackoff: { baseMs: 1_000, maxMs: 2_000 },
    verdictOf: ({ message }) => (message === 'down' ? 'against' : message === 'refused' ? 'answer' : 'neither'),
    onChange: (state) => states.push(state),
  });
  const fails = (message: string) =>
    expect(breaker.run(() => Promise.reject(new Error(message)))).rejects.toThrow(message);
  return { clock, breaker, states, fails };
}

describe('a circuit breaker', () => {
  it('opens with failures in a row, between which an answer and not any error starts the count anew', async () => {
    const { breaker, fails } = setUp();
    await fails('down');
    await fails('refused');
    await fails('down');
    expect(breaker.state).toBe('closed');
    await fails('neither');
    await fails('down');
    expect(breaker.state).toBe('open');
    await expect(breaker.run(async () => 'made')).rejects.toMatchObject({
      code: 'CIRCUIT_OPEN',
      cause: { message: 'down' },
    });
  });

  it('makes one trial, while others wait for its outcome, and stays open twice as long when that fails', async () => {
    const { clock, breaker, states, fails } = setUp();
    await fails('down');
    await fails('down');
    await clock.advance(1_000);
    let end: (error: Error) => void = () => undefined;
    const trial = breaker.run(() => new Promise((_, reject) => (end = reject)));
    let isMade = false;
    const other = breaker.run(async () => {
      isMade = true;
    });
    end(new Error('down'));
    await expect(trial).rejects.toThrow('down');
    await expect(other).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(isMade).toBe(false);
    await clock.advance(1_999);
    await expect(breaker.run(async () => 'made')).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    await clock.advance(1);
    expect(await Promise.all([breaker.run(async () => 'trial'), breaker.run(async () => 'other')])).toEqual([
      'trial',
      'other',
    ]);
    expect(states).toEqual(['open', 'half-open', 'open', 'half-open', 'closed']);
  });

  it('closes with a trial that fails for another reason', async () => {
    const { clock, breaker, fails } = setUp();
    await fails('down');
    await fails('down');
    await clock.advance(1_000);
    await fails('neither');
    expect(breaker.state).toBe('closed');
  });

  it('changes nothing by attempts that began before it opened', async () => {
    const { clock, breaker, fails } = setUp();
    const ends: ((error: Error | null) => void)[] = [];
    const early = [0, 1].map(() =>
      breaker.run(
        () =>
          new Promise<void>((resolve, reject) => {
            ends.push((error) => (error ? reject(error) : resolve()));
          }),
      ),
    );
    await fails('down');
    await fails('down');
    ends[0]?.(null);
    await early[0];
    expect(breaker.state).toBe('open');
    expect(breaker.failures).toMatchObject({ count: 2 });
    await clock.advance(1_000);
    let endTrial: () => void = () => undefined;
    const trial = breaker.run(() => new Promise<void>((resolve) => (endTrial = resolve)));
    ends[1]?.(new Error('down'));
    await expect(early[1]).rejects.toThrow('down');
    expect(breaker.state).toBe('half-open');
    endTrial();
    await trial;
    expect(breaker.state).toBe('closed');
  });
});
