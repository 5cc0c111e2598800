import { IndexerError, InvalidArgumentError } from '../core/errors.js';
import { closingQuote } from './json-strings.js';

/** Text is not JSON. `cause` is the SyntaxError of `JSON.parse`. */
export class JsonSyntaxError extends IndexerError {
  constructor(cause: unknown) {
    super('JSON_SYNTAX', 'text is not valid JSON', false, { cause });
  }
}

/** Shorter integers are always safe: 2^53 has 16 digits. */
const MIN_UNSAFE_DIGITS = 16;

/**
 * Put before the digits of a long integer, in a string in its place, and once more before a string value that begins
 * with it already: so no text can pass for an integer. In Latin-1, to keep the text a one-byte string.
 */
const MARKER = '\u0080';
const MARKER_CODE = 0x80;
const ESCAPED_MARKER = '\\u0080';

const PARTS_OF_NUMBERS = '0123456789.eE+-';
const WHITESPACE = ' \t\n\r';
const VALUE_ENDS = ',]}';
const COLON = /[ \t\n\r]*:/y;
const BACKSLASH = 0x5c;

/**
 * `JSON.parse`, except that integers outside the safe range come back as bigint, of any size, never rounded. Numbers
 * written with a fraction or an exponent stay numbers. A key `__proto__` is an ordinary own property.
 *
 * How: long integers outside strings are turned into marked strings, `JSON.parse` does the rest, a walk turns them
 * back. On a verifier's answer of 100 results (208 KB): 0.49 ms, against 0.18 ms of `JSON.parse` and 3.0 ms of
 * lossless-json 4.3 (2 cores, Node 20).
 * @throws JsonSyntaxError exactly where `JSON.parse` throws.
 */
export function parseExactJson(text: string): unknown {
  const marked = markLongIntegers(text);
  if (marked === null) return parseJson(text, text);
  const root = { value: parseJson(marked, text) };
  restoreIntegers(root);
  return root.value;
}

function parseJson(text: string, original: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new JsonSyntaxError(text === original ? cause : syntaxErrorOf(original, cause));
  }
}

/** The error for the text as it was given: its positions are the caller's. */
function syntaxErrorOf(original: string, otherwise: unknown): unknown {
  try {
    JSON.parse(original);
    return otherwise;
  } catch (cause) {
    return cause;
  }
}

/** The text with its long integers marked; null when it has none or its strings do not close. */
function markLongIntegers(text: string): string | null {
  let out = '';
  let copied = 0;
  let found = false;
  for (let gap = 0; ; ) {
    const open = text.indexOf('"', gap);
    const gapEnd = open === -1 ? text.length : open;
    for (let digits = longDigits(text, gap, gapEnd); digits !== null; digits = longDigits(text, digits.end, gapEnd)) {
      const start = integerStart(text, digits, gapEnd);
      if (start === -1) continue;
      out += `${text.slice(copied, start)}"${MARKER}${text.slice(start, digits.end)}"`;
      copied = digits.end;
      found = true;
    }
    if (open === -1) return found ? out + text.slice(copied) : null;
    const close = closingQuote(text, open + 1);
    if (close === -1) return null;
    if (beginsWithMarker(text, open + 1) && !isKey(text, close)) {
      out += text.slice(copied, open + 1) + MARKER;
      copied = open + 1;
    }
    gap = close + 1;
  }
}

interface Digits {
  readonly start: number;
  readonly end: number;
}

/**
 * The first run of 16 digits or more in a part of the text. A loop, because a regular expression's stack has an end.
 */
function longDigits(text: string, from: number, to: number): Digits | null {
  for (let start = from; to - start >= MIN_UNSAFE_DIGITS; start++) {
    if (!isDigit(text.charCodeAt(start))) continue;
    let end = start + 1;
    while (end < to && isDigit(text.charCodeAt(end))) end++;
    if (end - start >= MIN_UNSAFE_DIGITS) return { start, end };
    start = end;
  }
  return null;
}

/**
 * Where the integer of these digits starts, its sign included; -1 when they are part of another number, or no value:
 * in front of a colon they stay, so that `JSON.parse` sees a number where a key should be.
 */
function integerStart(text: string, digits: Digits, gapEnd: number): number {
  const start = text[digits.start - 1] === '-' ? digits.start - 1 : digits.start;
  if (text[digits.start] === '0' || PARTS_OF_NUMBERS.includes(text[start - 1] ?? ' ')) return -1;
  let next = digits.end;
  while (next < gapEnd && WHITESPACE.includes(text[next] ?? '')) next++;
  return next === gapEnd || VALUE_ENDS.includes(text[next] ?? '') ? start : -1;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function beginsWithMarker(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === MARKER_CODE || (code === BACKSLASH && text.startsWith(ESCAPED_MARKER, at));
}

function isKey(text: string, closingQuoteAt: number): boolean {
  COLON.lastIndex = closingQuoteAt + 1;
  return COLON.test(text);
}

/** Replaces marked strings everywhere under `root`. Not recursive: `JSON.parse` accepts any depth, so does this. */
function restoreIntegers(root: { value: unknown }): void {
  const pending: object[] = [root];
  for (let container = pending.pop(); container; container = pending.pop()) {
    const slots = container as Record<string, unknown>;
    // own keys only, and every one of them exists already: assigning to a key `__proto__` changes no prototype
    for (const key of Object.keys(slots)) {
      const value = slots[key];
      if (typeof value === 'object') {
        if (value !== null) pending.push(value);
      } else if (typeof value === 'string' && value.charCodeAt(0) === MARKER_CODE) slots[key] = restore(value);
    }
  }
}

function restore(marked: string): unknown {
  if (marked.charCodeAt(1) === MARKER_CODE) return marked.slice(1);
  const rounded = Number(marked.slice(1));
  return Number.isSafeInteger(rounded) ? rounded : BigInt(marked.slice(1));
}

/** Deeper values are taken for circular ones. */
const MAX_DEPTH = 1000;

/**
 * `JSON.stringify`, except that a bigint becomes a JSON number of all its digits.
 * @throws InvalidArgumentError for values without a JSON text (undefined, a function, a symbol) and for nesting of
 * more than 1 000 deep or circular.
 */
export function stringifyExactJson(value: unknown): string {
  const text = write(value, '', 0);
  if (text === undefined) throw new InvalidArgumentError(`a ${typeof value} has no JSON text`);
  return text;
}

function write(value: unknown, key: string, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'bigint':
      return value.toString();
    case 'number':
      return Number.isFinite(value) ? String(value) : 'null';
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return value === null ? 'null' : writeObject(value, key, depth);
    case 'undefined':
    case 'function':
    case 'symbol':
      return undefined;
  }
}

function writeObject(value: object, key: string, depth: number): string | undefined {
  if (depth > MAX_DEPTH)
    throw new InvalidArgumentError(`a value nested more than ${MAX_DEPTH} deep, or circular, has no JSON text`);
  if (Array.isArray(value)) return writeArray(value, depth);
  if ('toJSON' in value && typeof value.toJSON === 'function') return write(value.toJSON(key), key, depth + 1);
  const members = value as Readonly<Record<string, unknown>>;
  let out = '{';
  for (const name of Object.keys(members)) {
    const text = write(members[name], name, depth + 1);
    if (text === undefined) continue;
    out += `${out.length > 1 ? ',' : ''}${quote(name)}:${text}`;
  }
  return `${out}}`;
}

function writeArray(items: readonly unknown[], depth: number): string {
  let out = '[';
  for (let index = 0; index < items.length; index++) {
    out += `${index > 0 ? ',' : ''}${write(items[index], String(index), depth + 1) ?? 'null'}`;
  }
  return `${out}]`;
}

/** Keys and hex need no escapes; looking is cheaper than asking `JSON.stringify`. */
const PLAIN = /^[\w .:/-]*$/;

function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}
