import { z } from 'zod';
import { durationMs } from '../../core/duration-text.js';
import type { Hex } from '../../core/hex.js';
import { keccak256 } from '../../protocol/keccak.js';
import { similarWord } from '../similar-word.js';
import { urlFault } from './url-faults.js';

const MAX_SELECTOR = 2n ** 64n - 1n;
/** Below this a unix time is meant in seconds, at or above it in milliseconds: both are found in the wild. */
const SECONDS_BELOW = 100_000_000_000;
const SELECTOR_HINT = 'write the chain selector as a string of decimal digits, for example "3379446385462418246"';

/** What becomes of a result by its signatures. */
export const verifySignatures = () => oneOf(['off', 'record', 'require']).default('off');

/** A whole number of at least `least`. */
export function whole(least: number, what: string): z.ZodNumber {
  const error = `write ${what} as a whole number of at least ${least}`;
  return z.number({ error }).int({ error }).min(least, { error });
}

/** About the longest that a timer can wait (2^31 ms): one for longer goes off at once. */
const MAX_TIMER_MS = 2_147_000_000;
/** A thousand years: longer ages are no times any more. */
const MAX_AGE_S = 31_536_000_000;

/** A duration given in whole milliseconds, or as text with its unit. */
export function milliseconds(least = 1) {
  const error = `write the duration in milliseconds, at most ${MAX_TIMER_MS}`;
  return durationText(1, whole(least, 'the duration in milliseconds').max(MAX_TIMER_MS, { error }));
}

/** A duration given in seconds (fractions allowed), or as text with its unit, that is waited for, as milliseconds. */
export function secondsAsMs(least = 0, most = Math.floor(MAX_TIMER_MS / 1_000)) {
  const error = `write the duration in seconds, at least ${least}`;
  const seconds = z
    .number({ error })
    .min(least, { error })
    .max(most, { error: `write the duration in seconds, at most ${most}` })
    .refine((seconds) => seconds === 0 || seconds >= 0.001, {
      error: 'is less than a millisecond: write the duration in seconds',
    })
    .transform((seconds) => Math.round(seconds * 1000));
  return durationText(1_000, seconds);
}

/** A duration as `"1h30m"`, handed on in a unit, or as a number of that unit. */
function durationText<T extends z.ZodType<number, number>>(unitMs: number, ofUnit: T) {
  return z.preprocess((given, context) => {
    if (typeof given !== 'string') return given;
    const ms = durationMs(given);
    if (ms !== null) return ms / unitMs;
    context.addIssue(`write a duration such as "1h30m" or "500ms", or a number of ${UNIT_NAMES[unitMs]}`);
    return z.NEVER;
  }, ofUnit);
}

const UNIT_NAMES: Readonly<Record<number, string>> = { 1: 'milliseconds', 1000: 'seconds' };

/** An age that records may have, given in seconds, as milliseconds: never waited for, so it may be long. */
export function ageAsMs(least = 0) {
  return secondsAsMs(least, MAX_AGE_S);
}

/** A unix time in seconds or milliseconds (see `SECONDS_BELOW`), as milliseconds. */
export const unixTimeAsMs = whole(0, 'the unix time in seconds or milliseconds').transform((unix) =>
  unix < SECONDS_BELOW ? unix * 1000 : unix,
);

/** A chain selector: an unsigned 64-bit number, as a string because TOML integers end at 2^63. */
export const selector = z.string({ error: SELECTOR_HINT }).transform((text, context) => {
  const value = /^[0-9]{1,20}$/.test(text) ? BigInt(text) : -1n;
  if (value >= 0n && value <= MAX_SELECTOR) return value;
  context.addIssue(SELECTOR_HINT);
  return z.NEVER;
});

/** An address as bytes of `least` to `most`, in lower-case hex. */
export function address(least: number, most: number) {
  const size = least === most ? `${least}` : `${least} to ${most}`;
  const error = `write the address as 0x and the hex digits of ${size} bytes`;
  return z.string({ error }).transform((text, context): Hex => {
    const bytes = (text.length - 2) / 2;
    const isAddress = /^0x(?:[0-9a-fA-F]{2})*$/.test(text) && bytes >= least && bytes <= most;
    const fault = isAddress ? addressFault(text) : error;
    if (fault === null) return text.toLowerCase() as Hex;
    context.addIssue(fault);
    return z.NEVER;
  });
}

function addressFault(text: string): string | null {
  const digits = text.slice(2);
  if (/^0+$/.test(digits)) return 'is the zero address, which nobody has: write the address that is meant';
  const isMixed = /[a-f]/.test(digits) && /[A-F]/.test(digits);
  if (digits.length !== 40 || !isMixed || text === checksummed(digits.toLowerCase())) return null;
  return (
    'has a wrong checksum (EIP-55), so a digit may be mistyped: copy the address again, or write it in lower case ' +
    'when it is surely right'
  );
}

/** An address of 20 bytes as EIP-55 writes it. */
function checksummed(digits: string): string {
  const hash = keccak256(Buffer.from(digits)).slice(2);
  const cased = [...digits].map((digit, index) =>
    Number.parseInt(hash[index] ?? '0', 16) >= 8 ? digit.toUpperCase() : digit,
  );
  return `0x${cased.join('')}`;
}

/** A URL of one of the given schemes. */
export function url(...schemes: string[]) {
  const error = `write a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`;
  return z.string({ error }).superRefine((text, context) => {
    const parsed = URL.canParse(text) ? new URL(text) : null;
    const fault = parsed !== null && schemes.includes(parsed.protocol.slice(0, -1)) ? urlFault(text, parsed) : error;
    if (fault !== null) context.addIssue(fault);
  });
}

/** A name for logs, metrics and status: one that can be seen, and told from others. */
export function name(example: string) {
  const error =
    'write a name without spaces around it and without invisible characters, for ' +
    `example ${JSON.stringify(example)}`;
  return text(example)
    .max(100, { error: 'write a name of at most 100 characters' })
    .refine((given) => given === given.trim() && !/[\p{C}\p{Zl}\p{Zp}]/u.test(given), { error });
}

/** Text that is not empty. */
export function text(example: string) {
  const error = `write some text, for example ${JSON.stringify(example)}`;
  return z.string({ error }).min(1, { error });
}

/** One of a closed set of words. */
export function oneOf<const T extends readonly [string, ...string[]]>(words: T) {
  const error = `write one of ${words.map((word) => JSON.stringify(word)).join(', ')}`;
  return z.enum(words, { error: ({ input }) => error + didYouMean(input, words) });
}

/** `; did you mean "finalized"?`, or nothing. */
export function didYouMean(input: unknown, words: readonly string[]): string {
  const meant = typeof input === 'string' ? similarWord(input, words) : null;
  return meant === null ? '' : `; did you mean ${JSON.stringify(meant)}?`;
}

/** true or false. */
export const flag = z.boolean({ error: 'write true or false' });

/** A TCP port; 0 lets the system choose. */
export const port = whole(0, 'the port').max(65_535, { error: 'write a port of at most 65535' });

/** A list of tables, each written as `[[path]]`. */
export function tables<T extends z.ZodType>(table: T, path: string): z.ZodArray<T> {
  return z.array(table, { error: `write tables, each under its own [[${path}]]` });
}
