import { describe, expect, it } from 'vitest';
import { checkJsonBounds, JsonBoundsError } from '../../../src/protocol/json-bounds.js';

const excessOf = (text: string) => {
  try {
    checkJsonBounds(text);
    return null;
  } catch (thrown) {
    return (thrown as JsonBoundsError).excess;
  }
};
const nested = (depth: number, open = '[', close = ']') => `${open.repeat(depth)}0${close.repeat(depth)}`;

describe('a JSON text of a stranger', () => {
  it.each([
    ['what nodes and verifiers send', '[{"id":1,"result":[{"topics":["0xab"],"n":-1.5e3}]}]'],
    ['the deepest that is read', nested(64)],
    ['a number of 78 digits', `{"amount":${2n ** 256n - 1n}}`],
    ['long digits and brackets in a string', JSON.stringify([`${'9'.repeat(500)}${'['.repeat(500)}`])],
    ['brackets behind an escaped quote', JSON.stringify([`"${'['.repeat(500)}\\`, `${'\\"'.repeat(40)}[`])],
    ['text that does not end', '["abc'],
    ['many values', `[${'0,'.repeat(900_000)}0]`],
  ])('is let through with %s', (_, text) => {
    expect(excessOf(text)).toBeNull();
  });

  it.each([
    ['lists', nested(65)],
    ['objects', nested(65, '{"a":', '}')],
    ['lists behind a string with quotes', `["\\"\\\\",${nested(65)}]`],
  ])('is refused with %s nested 65 deep', (_, text) => {
    expect(excessOf(text)).toBe('shape');
  });

  it.each([
    ['a whole number', `[${'7'.repeat(79)}]`],
    ['a negative number', `[-${'7'.repeat(79)}]`],
    ['a fraction', `[0.${'7'.repeat(78)}]`],
    ['an exponent', `[1e${'7'.repeat(78)}]`],
  ])('is refused with %s of 79 digits', (_, text) => {
    expect(excessOf(text)).toBe('shape');
  });

  it.each([
    ['values', `[${'0,'.repeat(1_000_001)}0]`],
    ['empty objects', `[${'{},'.repeat(500_001)}0]`],
    ['names', `{${'"a":0,'.repeat(250_001)}"z":0}`],
  ])('is refused with too many %s', (_, text) => {
    expect(excessOf(text)).toBe('size');
  });

  it('is read no further than the first excess', () => {
    // as values, these brackets would take 6 GiB
    expect(() => checkJsonBounds('['.repeat(100_000_000))).toThrow(JsonBoundsError);
  });
});
