import { describe, expect, it } from 'vitest';
import { parseListRequest, type QueryString } from '../../../src/api/list-parameters.js';
import { InvalidArgumentError } from '../../../src/core/errors.js';

const messageOf = (query: QueryString): string => {
  try {
    parseListRequest(query);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(InvalidArgumentError);
    return (thrown as Error).message;
  }
  return 'accepted';
};

describe('list parameters', () => {
  it('have the defaults of the page of the API, and leave start and end to the storage', () => {
    expect(parseListRequest({})).toEqual({ limit: 100, offset: 0 });
  });

  it('read selectors above 2^63 with all their digits', () => {
    expect(
      parseListRequest({ sourceChainSelectors: '14767482510784806043,18446744073709551615', destChainSelectors: '0' }),
    ).toMatchObject({ sourceChainSelectors: [14767482510784806043n, 2n ** 64n - 1n], destChainSelectors: [0n] });
  });

  it.each([
    ['above 2^64-1', '18446744073709551616'],
    ['negative', '-1'],
    ['an empty item', '1,,2'],
    ['a trailing comma', '1,'],
    ['only a comma', ','],
    ['a space', '1, 2'],
    ['a plus sign', '+1'],
    ['hexadecimal', '0x10'],
    ['a fraction', '1.0'],
    ['an exponent', '1e3'],
    ['words', 'ethereum'],
    ['other digits', '\u0661'],
  ])('refuse a selector list with %s, naming the parameter', (_what, value) => {
    const hint = 'must be chain selectors (0 to 18446744073709551615) separated by commas';
    expect(messageOf({ sourceChainSelectors: value })).toBe(`bad sourceChainSelectors: ${hint}`);
    expect(messageOf({ destChainSelectors: value })).toBe(`bad destChainSelectors: ${hint}`);
  });

  it.each([
    ['unix milliseconds', '1767323045678', 1767323045678],
    ['zero', '0', 0],
    ['a time before 1970', '-5', -5],
    ['the largest int64, which Go clients send for "no end"', '9223372036854775807', 8.64e15],
    ['RFC 3339', '2026-01-02T03:04:05Z', Date.UTC(2026, 0, 2, 3, 4, 5)],
    ['RFC 3339 in lower case', '2026-01-02t03:04:05z', Date.UTC(2026, 0, 2, 3, 4, 5)],
    ['RFC 3339 with milliseconds', '2026-01-02T03:04:05.678Z', Date.UTC(2026, 0, 2, 3, 4, 5, 678)],
    ['RFC 3339 with an offset', '2026-01-02T03:04:05+02:00', Date.UTC(2026, 0, 2, 1, 4, 5)],
    ['an offset whose plus sign was not encoded', '2026-01-02T03:04:05 02:00', Date.UTC(2026, 0, 2, 1, 4, 5)],
  ])('read a time given as %s', (_what, value, ms) => {
    expect(parseListRequest({ start: value, end: value })).toMatchObject({ startMs: ms, endMs: ms });
  });

  it('round a start between two milliseconds up and an end down, for both are inclusive', () => {
    const between = '2026-01-02T03:04:05.678900123Z';
    const downMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
    expect(parseListRequest({ start: between, end: between })).toMatchObject({ startMs: downMs + 1, endMs: downMs });
  });

  it.each([
    'yesterday',
    '2026-01-02',
    '2026-01-02T03:04:05',
    '2026-13-02T03:04:05Z',
    '2026-02-30T03:04:05Z',
    '1.5',
    '1e3',
    '0x1',
    'NaN',
    '99999999999999999999',
  ])('refuse the time %s, naming the parameter', (value) => {
    const hint = 'must be RFC 3339 (2026-01-02T03:04:05Z) or unix milliseconds';
    expect(messageOf({ start: value })).toBe(`bad start: ${hint}`);
    expect(messageOf({ end: value })).toBe(`bad end: ${hint}`);
  });

  it.each(['0', '1', '1000', '0100'])('take the limit %s', (value) => {
    expect(parseListRequest({ limit: value }).limit).toBe(Number(value));
  });

  it.each(['1001', '-1', '1.5', 'all', '10 ', '99999999999999999999'])('refuse the limit %s', (value) => {
    expect(messageOf({ limit: value })).toBe('bad limit: must be a whole number from 0 to 1000');
  });

  it.each(['-1', '1.5', 'x', '9007199254740992'])('refuse the offset %s', (value) => {
    expect(messageOf({ offset: value })).toBe('bad offset: must be a whole number from 0 to 9007199254740991');
  });

  it('count an empty value as absent, as the generated Go client writes an empty filter', () => {
    const empty = { sourceChainSelectors: '', destChainSelectors: '', start: '', end: '', limit: '', offset: '' };
    expect(parseListRequest(empty)).toEqual({ limit: 100, offset: 0 });
  });

  it('ignore parameters that they do not know', () => {
    expect(parseListRequest({ cursor: 'x', __proto__x: '1', LIMIT: '5' })).toEqual({ limit: 100, offset: 0 });
  });

  it('take the first of those given more than once, whatever the others are', () => {
    expect(parseListRequest({ sourceChainSelectors: ['1', '2,3'] }).sourceChainSelectors).toEqual([1n]);
    expect(parseListRequest({ start: ['1', 'x'], end: ['2', '1'], limit: ['3', '-1'], offset: ['4', '5'] })).toEqual({
      startMs: 1,
      endMs: 2,
      limit: 3,
      offset: 4,
    });
    expect(parseListRequest({ limit: ['', '5'] })).toEqual({ limit: 100, offset: 0 });
    expect(messageOf({ limit: ['x', '5'] })).toBe('bad limit: must be a whole number from 0 to 1000');
  });
});
