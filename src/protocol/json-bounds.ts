import { IndexerError } from '../core/errors.js';
import { closingQuote } from './json-strings.js';

/**
 * The part of a JSON text that is beyond a bound: `size` is more of it, `shape` is nothing that an honest answer has.
 */
export type JsonExcess = 'size' | 'shape';

/** A JSON text that is not parsed, since building its values costs too much. `details` name the bound. */
export class JsonBoundsError extends IndexerError {
  readonly excess: JsonExcess;

  constructor(excess: JsonExcess, bound: string, limit: number) {
    super('JSON_BOUNDS', `the JSON has more than ${limit} ${bound}`, false, { details: { bound, limit } });
    this.excess = excess;
  }
}

/** Answers of nodes and verifiers nest 5 deep. */
const MAX_DEPTH = 64;
/** 2^256 − 1 has 78. */
const MAX_DIGITS = 78;
/** Commas and opening brackets. */
const MAX_VALUES = 1_000_000;
/** Names of an object cost the most of all: with 250 000 different ones, `JSON.parse` takes 0.1 to 0.3 s. */
const MAX_NAMES = 250_000;

const [QUOTE, COMMA, COLON] = [0x22, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Reads a text that a stranger sent, before it is parsed: 60 MiB of `[0,0,0,…]` take `JSON.parse` 1.5 s and 300 MiB,
 * 30 million brackets 12 s and 1.7 GiB. The text is read once and only as far as the first excess; 16 MiB of logs
 * take 10 ms. Whether it is JSON at all is for the parser to say.
 * @throws JsonBoundsError
 */
export function checkJsonBounds(text: string): void {
  let depth = 0;
  let values = 0;
  let names = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = closingQuote(text, at + 1);
      if (at === -1) return;
    } else if (isDigit(code)) {
      at = endOfNumber(text, at) - 1;
    } else if (code === COMMA) {
      values++;
    } else if (code === COLON) {
      names++;
    } else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      values++;
      if (++depth > MAX_DEPTH) throw new JsonBoundsError('shape', 'levels', MAX_DEPTH);
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
      depth--;
    }
    if (values > MAX_VALUES) throw new JsonBoundsError('size', 'values', MAX_VALUES);
    if (names > MAX_NAMES) throw new JsonBoundsError('size', 'names', MAX_NAMES);
  }
}

/** The digits of the fraction and of the exponent count as well. */
function endOfNumber(text: string, from: number): number {
  let digits = 0;
  for (let at = from; ; at++) {
    const code = text.charCodeAt(at);
    if (isDigit(code)) {
      if (++digits > MAX_DIGITS) throw new JsonBoundsError('shape', 'digits in one number', MAX_DIGITS);
    } else if (!isInsideNumber(code)) return at;
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** One of `+ - . E e`; false at the end of the text, where there is no code. */
function isInsideNumber(code: number): boolean {
  return code === 0x2b || code === 0x2d || code === 0x2e || code === 0x45 || code === 0x65;
}
