import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '../../../src/core/errors.js';
import { JsonSyntaxError, parseExactJson, stringifyExactJson } from '../../../src/protocol/exact-json.js';

/** What `JSON.parse` makes of a text, or that it refuses it. */
function builtin(text: string): { readonly value: unknown } | 'refused' {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return 'refused';
  }
}

function ours(text: string): { readonly value: unknown } | 'refused' {
  try {
    return { value: parseExactJson(text) };
  } catch (thrown) {
    if (thrown instanceof JsonSyntaxError) return 'refused';
    throw thrown;
  }
}

/** The value as `JSON.parse` rounds it. */
function rounded(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, rounded(member)]));
  return value;
}

const MARKER = '\u0080';
const trickyStrings = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    MARKER,
    `${MARKER}12345678901234567890`,
    `${MARKER}${MARKER}1`,
    '\\',
    '"',
    '__proto__',
    '14767482510784806043',
  ),
);
const bigIntegers = fc.bigInt({ min: -(2n ** 256n), max: 2n ** 256n });
const isSafe = (n: bigint): boolean => Number.isSafeInteger(Number(n));
const exactValues = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    bigIntegers.map((n) => (isSafe(n) ? Number(n) : n)),
    fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }).map((n) => (isSafe(n) ? Number(n) : n)),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0) && Math.abs(n) < 2 ** 53),
    trickyStrings,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(trickyStrings, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
})).value;

/** Fragments that make texts near JSON: most are refused, many in only one careless way of scanning. */
const fragments = fc.constantFrom(
  '12345678901234567890',
  '-9007199254740993',
  '9007199254740991',
  '0123456789012345678',
  '1.23456789012345678901',
  '1e12345678901234567',
  '12345678901234567890.5',
  '12345678901234567890e2',
  '1E+1234567890123456789',
  '"',
  '""',
  '"a"',
  '"\\"12345678901234567890"',
  '"\\\\"',
  `"${MARKER}"`,
  `"${MARKER}12345678901234567890"`,
  '"\\u008012345678901234567890"',
  '"\\u00801"',
  '"__proto__"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '-',
  '+',
  ' ',
  '\n',
  '\u00a0',
  'null',
  'true',
  '0',
  '{"a":',
  '"b":12345678901234567890',
  '[12345678901234567890,',
  '{12345678901234567890:1}',
  '\\',
);

describe('parseExactJson', () => {
  it.each([
    ['14767482510784806043', 14_767_482_510_784_806_043n],
    ['[-14767482510784806043]', [-14_767_482_510_784_806_043n]],
    ['9007199254740991', 9_007_199_254_740_991],
    ['9007199254740992', 9_007_199_254_740_992n],
    ['-9007199254740991', -9_007_199_254_740_991],
    ['-9007199254740993', -9_007_199_254_740_993n],
    [`{"amount": ${2n ** 256n - 1n}}`, { amount: 2n ** 256n - 1n }],
    [' \t\r\n 12345678901234567890 \n', 12_345_678_901_234_567_890n],
    [
      '{"a":[1,12345678901234567890,"12345678901234567890"]}',
      { a: [1, 12_345_678_901_234_567_890n, '12345678901234567890'] },
    ],
    ['["\\"",12345678901234567890]', ['"', 12_345_678_901_234_567_890n]],
    ['["\\\\",12345678901234567890,"\\\\\\""]', ['\\', 12_345_678_901_234_567_890n, '\\"']],
    ['1.50000000000000000000', 1.5],
    ['1e20', 1e20],
    ['12345678901234567890.0', 12_345_678_901_234_567_000],
  ])('reads %s', (text, value) => {
    expect(parseExactJson(text)).toStrictEqual(value);
  });

  it('gives back every value that is written, to the last digit', () => {
    fc.assert(
      fc.property(exactValues, (value) => {
        expect(parseExactJson(stringifyExactJson(value))).toStrictEqual(value);
      }),
      { numRuns: 1000 },
    );
  });

  it('equals JSON.parse where nothing is rounded', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(undefined, 1, '\t'), (json, indent) => {
        const text = JSON.stringify(JSON.parse(json), null, indent);
        const value = parseExactJson(text);
        expect(rounded(value)).toStrictEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it('accepts and refuses what JSON.parse does', () => {
    fc.assert(
      fc.property(fc.array(fragments, { maxLength: 9 }), (parts) => {
        const text = parts.join('');
        const expected = builtin(text);
        const found = ours(text);
        expect(found === 'refused', text).toBe(expected === 'refused');
        if (found !== 'refused' && expected !== 'refused') expect(rounded(found.value)).toStrictEqual(expected.value);
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    '{12345678901234567890:1}',
    '{12345678901234567890 :1}',
    '[12345678901234567890 12345678901234567891]',
    '012345678901234567890',
    '+12345678901234567890',
    '--12345678901234567890',
    '12345678901234567890.',
    '12345678901234567890"a"',
    '["a]',
    '',
  ])('refuses %s with the error of JSON.parse as cause', (text) => {
    expect(builtin(text)).toBe('refused');
    let cause: unknown;
    try {
      JSON.parse(text);
    } catch (thrown) {
      cause = thrown;
    }
    expect(() => parseExactJson(text)).toThrow(JsonSyntaxError);
    expect(() => parseExactJson(text)).toThrow(expect.objectContaining({ cause, retryable: false }));
  });

  it('takes no string for a number, whatever it begins with', () => {
    const strings = [`${MARKER}12345678901234567890`, `${MARKER}`, `${MARKER}${MARKER}5`];
    const text = `{"big":12345678901234567890,"s":${JSON.stringify(strings)},"e":"\\u00801","${MARKER}1":"k"}`;
    expect(parseExactJson(text)).toStrictEqual({
      big: 12_345_678_901_234_567_890n,
      s: strings,
      e: `${MARKER}1`,
      [`${MARKER}1`]: 'k',
    });
  });

  it('changes no prototype', () => {
    const value = parseExactJson('{"__proto__":{"polluted":12345678901234567890},"a":12345678901234567890}');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value as object)).toEqual(['__proto__', 'a']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    const direct = parseExactJson('{"__proto__":12345678901234567890}');
    expect(Object.getOwnPropertyDescriptor(direct, '__proto__')?.value).toBe(12_345_678_901_234_567_890n);
    expect(Object.getPrototypeOf(direct)).toBe(Object.prototype);
  });

  it('refuses a bad number of any length as what it is', () => {
    expect(() => parseExactJson(`${'1'.repeat(30_000_000)}x`)).toThrow(JsonSyntaxError);
  });

  it('survives any depth that JSON.parse survives', () => {
    const depth = 50_000;
    const text = `${'['.repeat(depth)}12345678901234567890${']'.repeat(depth)}`;
    let value = parseExactJson(text);
    for (let level = 0; level < depth; level++) value = (value as unknown[])[0];
    expect(value).toBe(12_345_678_901_234_567_890n);
  });
});

describe('stringifyExactJson', () => {
  it('equals JSON.stringify where there is no bigint', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(stringifyExactJson(value)).toBe(JSON.stringify(value));
      }),
    );
    const odd = {
      a: undefined,
      b: [undefined, () => 1],
      c: Number.NaN,
      d: new Date(0),
      e: -0,
      f: '\ud800\n"',
      g: Symbol('s'),
    };
    expect(stringifyExactJson(odd)).toBe(JSON.stringify(odd));
  });

  it('writes every digit of a bigint as a number', () => {
    expect(stringifyExactJson({ n: 14_767_482_510_784_806_043n, m: [-(2n ** 256n)] })).toBe(
      `{"n":14767482510784806043,"m":[-${2n ** 256n}]}`,
    );
  });

  it('refuses what has no JSON text and what is circular', () => {
    const circular: unknown[] = [];
    circular.push(circular);
    expect(() => stringifyExactJson(undefined)).toThrow(InvalidArgumentError);
    expect(() => stringifyExactJson(circular)).toThrow(InvalidArgumentError);
  });
});
