import type { TomlTable } from '../overlay.js';
import { type ConfigProblem, formatPath } from '../problems.js';

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;

/** Keys of durations, with their unit and usual range: beyond it, the unit is mostly mistaken. 0 is free. */
const USUAL: Readonly<Record<string, readonly ['ms' | 's', least: number, most: number]>> = {
  'Chain.PollInterval': ['ms', 50, HOUR_S * 1_000],
  'Chain.RequestTimeout': ['ms', 500, HOUR_S * 1_000],
  'Discoveries.PollInterval': ['ms', 50, HOUR_S * 1_000],
  'Discoveries.Timeout': ['ms', 500, HOUR_S * 1_000],
  'Discoveries.OverlapTime': ['ms', 1_000, HOUR_S * 1_000],
  'Verifier.RequestTimeout': ['s', 0.1, HOUR_S / 6],
  'Verifier.MaxBatchWaitTime': ['ms', 0, 60_000],
  'Scheduler.TickerInterval': ['ms', 10, 60_000],
  'Scheduler.BaseDelay': ['ms', 50, HOUR_S * 1_000],
  'Scheduler.MaxDelay': ['ms', 500, DAY_S * 1_000],
  'Scheduler.VerificationVisibilityWindow': ['s', 10, 90 * DAY_S],
  'Lanes.AskAgainAfter': ['s', 1, DAY_S],
  'Pool.WorkerTimeout': ['s', 1, HOUR_S],
  'Memory.TTL': ['s', 10, 366 * DAY_S],
  'Memory.CleanupInterval': ['s', 0.1, DAY_S],
  'Memory.MaxStaleness': ['ms', 50, HOUR_S * 1_000],
  'Postgres.ConnMaxLifetime': ['s', 10, 7 * DAY_S],
  'Postgres.ConnMaxIdleTime': ['s', 5, DAY_S],
  'Postgres.IdleInTxSessionTimeout': ['s', 1, DAY_S],
  'Postgres.LockTimeout': ['s', 1, HOUR_S],
  'Postgres.StatementTimeout': ['s', 1, HOUR_S],
  'Postgres.ConnectTimeout': ['s', 0.5, 300],
  'Postgres.Retention': ['s', HOUR_S, 3_660 * DAY_S],
  'Sink.PruneInterval': ['s', 1, DAY_S],
  'S3.RequestTimeout': ['s', 0.5, HOUR_S / 6],
  'S3.HedgeDelay': ['ms', 20, 60_000],
  'S3.FlushInterval': ['s', 1, DAY_S],
  'S3.RefreshInterval': ['ms', 0, HOUR_S * 1_000],
  'S3.TakeoverDelay': ['s', 1, DAY_S],
  'S3.CompactInterval': ['s', 1, 7 * DAY_S],
  'S3.Grace': ['s', 10, 90 * DAY_S],
  'S3.VacuumInterval': ['s', 1, 30 * DAY_S],
};

const UNIT = { ms: 'milliseconds', s: 'seconds' } as const;

/** Durations that look as if they were written in another unit. */
export function implausibleTimes(table: TomlTable): ConfigProblem[] {
  return numbersIn(table, []).flatMap(({ path, value }): ConfigProblem[] => {
    const [owner, key] = path.filter((part) => typeof part === 'string').slice(-2);
    const [unit, least, most] = USUAL[`${owner}.${key}`] ?? [];
    if (unit === undefined || least === undefined || most === undefined || value === 0) return [];
    if (value >= least && value <= most) return [];
    const usual = `usually ${least} to ${most}`;
    return [{ path: formatPath(path), message: `is in ${UNIT[unit]}, ${usual}: check that no other unit was meant` }];
  });
}

function numbersIn(
  value: unknown,
  path: readonly PropertyKey[],
): { readonly path: readonly PropertyKey[]; readonly value: number }[] {
  if (typeof value === 'number') return [{ path, value }];
  if (Array.isArray(value)) return value.flatMap((item, index) => numbersIn(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, field]) => numbersIn(field, [...path, key]));
}
