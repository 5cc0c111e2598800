import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '../../../src/core/errors.js';
import { formatRfc3339, parseRfc3339 } from '../../../src/protocol/rfc3339.js';

const NOON = Date.UTC(2026, 1, 3, 12, 0, 0);

describe('parseRfc3339', () => {
  it.each([
    ['2026-02-03T12:00:00Z', NOON],
    ['2026-02-03t12:00:00z', NOON],
    ['2026-02-03T12:00:00.5Z', NOON + 500],
    ['2026-02-03T12:00:00.123456789Z', NOON + 123],
    ['2026-02-03T12:00:00.9999999999999999999999Z', NOON + 999],
    ['2026-02-03T13:30:00+01:30', NOON],
    ['2026-02-03T04:00:00-08:00', NOON],
    ['2026-02-03T12:00:00-00:00', NOON],
    ['1970-01-01T00:00:00Z', 0],
    ['1969-12-31T23:59:59.999Z', -1],
    ['1969-12-31T23:59:59.9991Z', -1],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['0099-01-01T00:00:00Z', new Date('0099-01-01T00:00:00Z').getTime()],
    ['0000-01-01T00:00:00Z', -62_167_219_200_000],
  ])('reads %s', (text, ms) => {
    expect(parseRfc3339(text)).toBe(ms);
  });

  it.each([
    ['2026-02-03T12:00:00Z', NOON],
    ['2026-02-03T12:00:00.123000Z', NOON + 123],
    ['2026-02-03T12:00:00.1230001Z', NOON + 124],
    ['2026-02-03T12:00:00.9999Z', NOON + 1000],
  ])('rounds %s up when asked to', (text, ms) => {
    expect(parseRfc3339(text, 'up')).toBe(ms);
  });

  it.each([
    '',
    '2026-02-03',
    '2026-02-03T12:00Z',
    '2026-02-03T12:00:00',
    '2026-02-03 12:00:00Z',
    '2026-02-03T12:00:00 01:00',
    '2026-02-03T12:00:00.Z',
    '2026-02-03T12:00:00,5Z',
    '2026-02-03T12:00:00+0100',
    '2026-02-03T12:00:00+24:00',
    '2026-02-03T12:00:00+01:60',
    '2026-02-03T24:00:00Z',
    '2026-02-03T12:60:00Z',
    '2026-02-03T12:00:60Z',
    '2026-02-29T12:00:00Z',
    '2026-04-31T12:00:00Z',
    '2026-13-01T12:00:00Z',
    '2026-00-01T12:00:00Z',
    '2026-01-00T12:00:00Z',
    '26-01-01T12:00:00Z',
    '+002026-01-01T12:00:00Z',
    ' 2026-02-03T12:00:00Z',
    '2026-02-03T12:00:00Z\n',
    '1764000000',
  ])('refuses %o', (text) => {
    expect(parseRfc3339(text)).toBeNull();
  });
});

describe('formatRfc3339', () => {
  it('writes milliseconds and Z, and is read back', () => {
    expect(formatRfc3339(NOON)).toBe('2026-02-03T12:00:00.000Z');
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }), (ms) => {
        expect(parseRfc3339(formatRfc3339(ms))).toBe(ms);
        expect(parseRfc3339(formatRfc3339(ms), 'up')).toBe(ms);
      }),
    );
  });

  it.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, 253_402_300_800_000, -62_167_219_200_001])('refuses %d', (ms) => {
    expect(() => formatRfc3339(ms)).toThrow(InvalidArgumentError);
  });
});
