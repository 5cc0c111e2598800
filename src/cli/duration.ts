import { InvalidArgumentError } from 'commander';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `30s`, `2m`, `1h`, `500ms` in milliseconds; for commander. */
export function parseDuration(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const factor = UNIT_MS[unit];
  if (amount === undefined || factor === undefined)
    throw new InvalidArgumentError('Write a duration such as 30s, 2m or 1h.');
  return Math.round(Number(amount) * factor);
}

/** A number above 0; for commander. */
export function parsePositive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError('Write a number above 0.');
  return value;
}

/** A TCP port; for commander. */
export function parsePort(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_534)
    throw new InvalidArgumentError('Write a port from 0 to 65534.');
  return value;
}
