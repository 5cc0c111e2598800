import { z } from 'zod';
import type { Hex } from '../core/hex.js';

const MAX_SELECTOR = 2n ** 64n - 1n;
/** Below this a unix time is meant in seconds, at or above it in milliseconds: both are found in the wild. */
const SECONDS_BELOW = 100_000_000_000;
const SELECTOR_HINT = 'write the chain selector as a string of decimal digits, for example "3379446385462418246"';

/** A whole number of at least `least`. */
export function whole(least: number, what: string): z.ZodNumber {
  const error = `write ${what} as a whole number of at least ${least}`;
  return z.number({ error }).int({ error }).min(least, { error });
}

/** A duration given in whole milliseconds. */
export function milliseconds(least = 1): z.ZodNumber {
  return whole(least, 'the duration in milliseconds');
}

/** A duration given in seconds (fractions allowed), as milliseconds. */
export function secondsAsMs(least = 0) {
  const error = `write the duration in seconds, at least ${least}`;
  return z
    .number({ error })
    .min(least, { error })
    .transform((seconds) => Math.round(seconds * 1000));
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
    if (/^0x(?:[0-9a-fA-F]{2})*$/.test(text) && bytes >= least && bytes <= most) return text.toLowerCase() as Hex;
    context.addIssue(error);
    return z.NEVER;
  });
}

/** A URL of one of the given schemes. */
export function url(...schemes: string[]) {
  const error = `write a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`;
  return z.string({ error }).refine(
    (text) => {
      const parsed = URL.canParse(text) ? new URL(text) : null;
      return parsed !== null && schemes.includes(parsed.protocol.slice(0, -1));
    },
    { error },
  );
}

/** Text that is not empty. */
export function text(example: string) {
  const error = `write some text, for example ${JSON.stringify(example)}`;
  return z.string({ error }).min(1, { error });
}

/** One of a closed set of words. */
export function oneOf<const T extends readonly [string, ...string[]]>(words: T) {
  return z.enum(words, { error: `write one of ${words.map((word) => JSON.stringify(word)).join(', ')}` });
}

/** true or false. */
export const flag = z.boolean({ error: 'write true or false' });

/** A TCP port; 0 lets the system choose. */
export const port = whole(0, 'the port').max(65_535, { error: 'write a port of at most 65535' });

/** A list of tables, each written as `[[path]]`. */
export function tables<T extends z.ZodType>(table: T, path: string): z.ZodArray<T> {
  return z.array(table, { error: `write tables, each under its own [[${path}]]` });
}
