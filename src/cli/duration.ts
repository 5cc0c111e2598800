import { InvalidArgumentError } from 'commander';
import { durationMs } from '../core/duration-text.js';

/** `30s`, `2m`, `1h30m`, `500ms`, or a number of seconds, in milliseconds; for commander. */
export function parseDuration(text: string): number {
  const ms = durationMs(/^\d+(?:\.\d+)?$/.test(text) ? `${text}s` : text);
  if (ms === null) throw new InvalidArgumentError('Write a duration such as 30s, 2m or 1h.');
  return Math.round(ms);
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
