import { InvalidArgumentError } from '../core/errors.js';

const DATE = String.raw`(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)`;
const TIME = String.raw`(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)(?:\.(?<fraction>\d+))?`;
const ZONE = String.raw`(?:[Zz]|(?<sign>[+-])(?<offsetHour>\d\d):(?<offsetMinute>\d\d))`;
const RFC3339 = new RegExp(`^${DATE}[Tt]${TIME}${ZONE}$`);

/** 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: the range of four digits of year. */
const MIN_MS = -62_167_219_200_000;
const MAX_MS = 253_402_300_799_999;

const MINUTE_MS = 60_000;

/** 9999-12-31T23:59:59.999Z, the last time of RFC 3339. */
export const MAX_RFC3339_MS = 253_402_300_799_999;

/**
 * Unix milliseconds as RFC 3339 in UTC, always with three fraction digits: `2026-01-02T03:04:05.678Z`.
 * @throws InvalidArgumentError for any number but a whole millisecond of the years 0000 to 9999.
 */
export function formatRfc3339(ms: number): string {
  if (!Number.isInteger(ms) || ms < MIN_MS || ms > MAX_MS)
    throw new InvalidArgumentError(`${ms} is no time: pass whole unix milliseconds of the years 0000 to 9999`);
  return new Date(ms).toISOString();
}

/**
 * Unix milliseconds of an RFC 3339 date-time, or null when `text` is none (a space in place of the T, a missing zone, a
 * day that its month does not have, second 60). Any number of fraction digits; below the millisecond it rounds `down`,
 * or `up`, which is right for the inclusive start of a range.
 */
export function parseRfc3339(text: string, rounding: 'down' | 'up' = 'down'): number | null {
  const parts = RFC3339.exec(text)?.groups;
  if (!parts) return null;
  const [year, month, day] = [Number(parts['year']), Number(parts['month']), Number(parts['day'])];
  const [hour, minute, second] = [Number(parts['hour']), Number(parts['minute']), Number(parts['second'])];
  const [offsetHour, offsetMinute] = [Number(parts['offsetHour'] ?? 0), Number(parts['offsetMinute'] ?? 0)];
  if (hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return null;
  // setUTCFullYear, because Date.UTC takes the years 0 to 99 for 1900 to 1999
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // a day that its month does not have lands in another month
  if (date.getUTCMonth() !== month - 1) return null;
  date.setUTCHours(hour, minute, second);
  const offsetMs = (offsetHour * 60 + offsetMinute) * MINUTE_MS * (parts['sign'] === '-' ? -1 : 1);
  return date.getTime() - offsetMs + fractionMs(parts['fraction'] ?? '', rounding);
}

function fractionMs(digits: string, rounding: 'down' | 'up'): number {
  const wholeMs = Number(digits.slice(0, 3).padEnd(3, '0'));
  return rounding === 'up' && /[1-9]/.test(digits.slice(3)) ? wholeMs + 1 : wholeMs;
}
