import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLocalClock, offsetText, zonesWith } from '../../../src/migration/go-indexer/local-clock.js';

const HOUR_MS = 3_600_000;
const utc = (text: string) => Date.parse(`${text}Z`);

describe('the wall clock of a zone', () => {
  const berlin = createLocalClock('Europe/Berlin');

  test('reads one hour or two ahead of UTC in Berlin, by the season', () => {
    expect(berlin.instantsOf(utc('2026-01-15T12:00:00.123'))).toEqual([utc('2026-01-15T11:00:00.123')]);
    expect(berlin.instantsOf(utc('2026-07-15T12:00:00.123'))).toEqual([utc('2026-07-15T10:00:00.123')]);
  });

  test('reads an hour twice in autumn', () => {
    expect(berlin.instantsOf(utc('2026-10-25T02:30:00'))).toEqual([
      utc('2026-10-25T00:30:00'),
      utc('2026-10-25T01:30:00'),
    ]);
    expect(berlin.firstInstant(utc('2026-10-25T02:30:00'))).toBe(utc('2026-10-25T00:30:00'));
  });

  test('never reads the hour that is left out in spring', () => {
    expect(berlin.instantsOf(utc('2026-03-29T02:30:00'))).toEqual([]);
    expect(berlin.firstInstant(utc('2026-03-29T02:30:00'))).toBe(utc('2026-03-29T01:00:00'));
  });

  test('takes offsets, and nothing that is no zone', () => {
    expect(createLocalClock('-03:30').instantsOf(utc('2026-07-15T12:00:00'))).toEqual([utc('2026-07-15T15:30:00')]);
    expect(() => createLocalClock('Europe/Atlantis')).toThrow(/no time zone: write an IANA name/);
  });

  test('tells the instant of every reading, and never an earlier one for a later reading', () => {
    for (const zone of ['Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Kathmandu', '+05:45']) {
      const clock = createLocalClock(zone);
      const instants = fc.integer({ min: utc('2025-10-01T00:00:00'), max: utc('2027-05-01T00:00:00') });
      fc.assert(
        fc.property(instants, fc.integer({ min: 0, max: 26 * HOUR_MS }), (atMs, laterMs) => {
          const local = clock.localMs(atMs);
          expect(clock.instantsOf(local)).toContain(atMs);
          expect(clock.firstInstant(local + laterMs)).toBeGreaterThanOrEqual(clock.firstInstant(local));
        }),
        { numRuns: 200 },
      );
    }
  });

  test('is found by its offsets', () => {
    const observed = [
      { atMs: utc('2026-01-15T12:00:00'), offsetMs: HOUR_MS },
      { atMs: utc('2026-07-15T12:00:00'), offsetMs: 2 * HOUR_MS },
    ];
    const names = zonesWith(observed);
    expect(names).toContain('Europe/Berlin');
    expect(names).not.toContain('Africa/Lagos');
    expect(offsetText(-3.5 * HOUR_MS)).toBe('-03:30');
  });
});
