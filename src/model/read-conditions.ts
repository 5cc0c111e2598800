import { assertNever, InvalidArgumentError } from '../core/errors.js';

/**
 * For which ingestion times an operator wants a backend to be read. A condition is a wish: a backend is read only where
 * its coverage agrees. Bounds are unix milliseconds, inclusive.
 */
export type ReadCondition =
  | { readonly kind: 'always' }
  | { readonly kind: 'never' }
  | { readonly kind: 'timeRange'; readonly fromMs: number | null; readonly toMs: number | null }
  | { readonly kind: 'recent'; readonly durationMs: number }
  | { readonly kind: 'older'; readonly durationMs: number };

/** Ingestion times from `fromMs` to `toMs`, both inclusive, unix ms; `toMs` is `Infinity` when there is no end. */
export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Read whenever the backend covers the question: the default. */
export function alwaysRead(): ReadCondition {
  return { kind: 'always' };
}

/** Written, never read: a backup, or a database that is being filled. */
export function neverRead(): ReadCondition {
  return { kind: 'never' };
}

/**
 * Read for fixed ingestion times, unix ms, both inclusive; an absent bound does not limit.
 * @throws InvalidArgumentError when a bound is not a whole number or the bounds are the wrong way round.
 */
export function timeRangeRead(fromMs?: number | null, toMs?: number | null): ReadCondition {
  const from = fromMs ?? null;
  const to = toMs ?? null;
  for (const [name, value] of [
    ['fromMs', from],
    ['toMs', to],
  ] as const)
    if (value !== null && !Number.isSafeInteger(value))
      throw new InvalidArgumentError(`timeRangeRead: ${name} is ${value}: pass whole unix milliseconds`);
  if (from !== null && to !== null && from > to)
    throw new InvalidArgumentError(`timeRangeRead: fromMs ${from} lies after toMs ${to}: swap them`);
  return { kind: 'timeRange', fromMs: from, toMs: to };
}

/**
 * Read for records ingested within `durationMs` before the query, and for later ones.
 * @throws InvalidArgumentError
 */
export function recentRead(durationMs: number): ReadCondition {
  return { kind: 'recent', durationMs: checkDuration('recentRead', durationMs) };
}

/**
 * Read for records ingested `durationMs` before the query or earlier.
 * @throws InvalidArgumentError
 */
export function olderRead(durationMs: number): ReadCondition {
  return { kind: 'older', durationMs: checkDuration('olderRead', durationMs) };
}

/** The ingestion times that `condition` admits at `nowMs`, or null when there are none. */
export function admittedInterval(condition: ReadCondition, nowMs: number): Interval | null {
  switch (condition.kind) {
    case 'always':
      return { fromMs: 0, toMs: Number.POSITIVE_INFINITY };
    case 'never':
      return null;
    case 'timeRange':
      return interval(condition.fromMs ?? 0, condition.toMs ?? Number.POSITIVE_INFINITY);
    case 'recent':
      return interval(nowMs - condition.durationMs, Number.POSITIVE_INFINITY);
    case 'older':
      return interval(0, nowMs - condition.durationMs);
    default:
      return assertNever(condition, 'read condition');
  }
}

/** Whether a lookup by message id may use the backend: an id says nothing about time, so only `never` forbids it. */
export function admitsLookups(condition: ReadCondition): boolean {
  return condition.kind !== 'never';
}

/** The condition as an operator would write it, for logs and explanations. */
export function describeCondition(condition: ReadCondition): string {
  switch (condition.kind) {
    case 'always':
      return 'always';
    case 'never':
      return 'never';
    case 'timeRange':
      return `timeRange(${condition.fromMs ?? ''}..${condition.toMs ?? ''})`;
    case 'recent':
      return `recent(${condition.durationMs} ms)`;
    case 'older':
      return `older(${condition.durationMs} ms)`;
    default:
      return assertNever(condition, 'read condition');
  }
}

/** The times in both intervals, or null when there are none. */
export function intersect(a: Interval, b: Interval): Interval | null {
  return interval(Math.max(a.fromMs, b.fromMs), Math.min(a.toMs, b.toMs));
}

/** Ingestion times are never negative, so neither is the start of an interval. */
function interval(fromMs: number, toMs: number): Interval | null {
  const from = Math.max(0, fromMs);
  return from <= toMs ? { fromMs: from, toMs } : null;
}

function checkDuration(name: string, durationMs: number): number {
  if (!Number.isSafeInteger(durationMs) || durationMs < 0)
    throw new InvalidArgumentError(`${name}: durationMs is ${durationMs}: pass whole milliseconds of at least 0`);
  return durationMs;
}
