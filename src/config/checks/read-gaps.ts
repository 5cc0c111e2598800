import type { ConfigProblem } from '../problems.js';
import type { SinkBackendSection } from '../schema/storage-schema.js';

/** Time of a flush, with retries, until the cold tier answers for its records. */
const FLUSH_MARGIN_MS = 30_000;

/**
 * How long after its ingestion a record may have to wait for a cold tier that flushes so often: it looks four times an
 * interval whether one is over.
 */
export function coldLagMs(flushIntervalMs: number): number {
  return flushIntervalMs * 1.25 + FLUSH_MARGIN_MS;
}

/** Ingestion times, as an age (rolling) or as unix ms (fixed); both ends included. */
interface Span {
  readonly from: number;
  readonly to: number;
}

const ALWAYS: Span = { from: 0, to: Number.POSITIVE_INFINITY };

/** Ages of the records that a backend holds. */
export interface StoredAges {
  /** Its records are answered for only this long after their ingestion; 0: at once. */
  readonly lagMs: number;
  /** It removes records this long after their ingestion; `Infinity`: never. */
  readonly keptMs: number;
}

/** Ages of the records that a backend holds by its settings, whatever its condition admits. */
export function storedAges(backend: SinkBackendSection, flushIntervalMs: number | null): StoredAges {
  if (backend.Type === 's3' && flushIntervalMs === null) return { lagMs: 0, keptMs: Number.POSITIVE_INFINITY };
  if (flushIntervalMs !== null) return { lagMs: coldLagMs(flushIntervalMs), keptMs: Number.POSITIVE_INFINITY };
  if (backend.Type === 'memory') return { lagMs: 0, keptMs: backend.Memory?.TTL || Number.POSITIVE_INFINITY };
  return { lagMs: 0, keptMs: backend.Postgres?.Retention || Number.POSITIVE_INFINITY };
}

/**
 * Ages, or times, between those that the backends answer for. Where tiers depend on each other (one lags, one forgets)
 * every age needs a backend; otherwise an operator may leave out the oldest or the newest. Fixed and rolling conditions
 * together make a whole that changes with time: then only one kind of the two has to be without gaps. Between tiers,
 * ages without a backend are filled only by fixed times that do not end, because every time comes to be of such an age.
 */
export function readGaps(
  backends: readonly { readonly section: SinkBackendSection; readonly ages: StoredAges }[],
): ConfigProblem[] {
  const rolling = backends.flatMap(({ section, ages }) => rollingSpan(section, ages) ?? []);
  const fixed = backends.flatMap(({ section, ages }) => fixedSpan(section, ages) ?? []);
  const isTiered = backends.some(({ section, ages }) => ages.lagMs > 0 || (section.Postgres?.Retention ?? 0) > 0);
  const openAges = isTiered ? firstGap(rolling, ALWAYS) : firstGap(rolling, hull(rolling));
  const openTimes = isTiered && openAges !== null ? firstGapAtAges(openAges, backends) : firstGap(fixed, hull(fixed));
  const hasFixed = backends.some(({ section }) => section.ReadCondition?.Type === 'time_range');
  const hasRolling = isTiered || backends.some(({ section }) => isRolling(section));
  const message = (gap: string) => [
    { path: 'Storage.Sink.Storages', message: `no backend is read for ${gap}: widen a ReadCondition or keep longer` },
  ];
  if (hasFixed && hasRolling && (openAges === null || openTimes === null)) return [];
  // where no condition is about ages, those say nothing
  const isByAge = hasRolling && (rolling.length > 0 || isEverything(openTimes));
  if (isByAge && openAges !== null) return message(recordsOfAges(openAges));
  if (hasFixed && openTimes !== null) return message(ingestionTimes(openTimes));
  return [];
}

/** The first fixed times whose records have no backend while they are of these ages. */
function firstGapAtAges(
  ages: Span,
  backends: readonly { readonly section: SinkBackendSection; readonly ages: StoredAges }[],
): Span | null {
  const spans = backends.flatMap(({ section: { ReadCondition }, ages: { lagMs, keptMs } }) => {
    if (ReadCondition?.Type !== 'time_range' || keptMs < ages.to) return [];
    // a time that has ended has waited for every flush
    if (lagMs > ages.from && ReadCondition.EndUnix === undefined) return [];
    return span(ReadCondition.StartUnix ?? 0, ReadCondition.EndUnix ?? Number.POSITIVE_INFINITY) ?? [];
  });
  if (spans.length === 0) return ALWAYS;
  // records of bounded ages are recent ones: how long ago a condition began does not matter to them
  const from = Number.isFinite(ages.to) ? hull(spans).from : 0;
  return firstGap(spans, { from, to: Number.POSITIVE_INFINITY });
}

function isRolling({ ReadCondition }: SinkBackendSection): boolean {
  return ReadCondition?.Type === 'recent' || ReadCondition?.Type === 'older';
}

/** Null when the condition is not about ages. */
function rollingSpan({ ReadCondition }: SinkBackendSection, { lagMs, keptMs }: StoredAges): Span | null {
  const windowMs = (ReadCondition?.LookbackWindowSeconds ?? 0) * 1_000;
  switch (ReadCondition?.Type ?? 'always') {
    case 'always':
      return span(lagMs, keptMs);
    case 'recent':
      return span(lagMs, Math.min(keptMs, windowMs));
    case 'older':
      return span(Math.max(lagMs, windowMs), keptMs);
    default:
      return null;
  }
}

/** Null when the backend does not answer for fixed times for good. */
function fixedSpan({ ReadCondition }: SinkBackendSection, { lagMs, keptMs }: StoredAges): Span | null {
  if (lagMs > 0 || Number.isFinite(keptMs)) return null;
  switch (ReadCondition?.Type ?? 'always') {
    case 'always':
      return span(0, Number.POSITIVE_INFINITY);
    case 'time_range':
      return span(ReadCondition?.StartUnix ?? 0, ReadCondition?.EndUnix ?? Number.POSITIVE_INFINITY);
    default:
      return null;
  }
}

function span(from: number, to: number): Span | null {
  return from <= to ? { from, to } : null;
}

/** From the first to the last time that any of the spans includes. */
function hull(spans: readonly Span[]): Span {
  return { from: Math.min(...spans.map(({ from }) => from)), to: Math.max(...spans.map(({ to }) => to)) };
}

/** The first part of a span that none of the others includes; neighbours by a millisecond leave none. */
function firstGap(spans: readonly Span[], { from, to }: Span): Span | null {
  let covered = from - 1;
  for (const each of [...spans].sort((a, b) => a.from - b.from)) {
    if (each.from > covered + 1) return { from: covered + 1, to: Math.min(to, each.from - 1) };
    covered = Math.max(covered, each.to);
  }
  return covered < to ? { from: covered + 1, to } : null;
}

function isEverything(span: Span | null): boolean {
  return span !== null && span.from <= 0 && span.to === Number.POSITIVE_INFINITY;
}

function recordsOfAges({ from, to }: Span): string {
  if (Number.isFinite(to)) return `records between ${from / 1_000} s and ${to / 1_000} s old`;
  return from > 0 ? `records more than ${(from - 1) / 1_000} s old` : 'records of any age';
}

function ingestionTimes({ from, to }: Span): string {
  const time = (ms: number) => new Date(ms).toISOString();
  if (!Number.isFinite(to)) return `ingestion times from ${time(from)} on`;
  return from > 0 ? `ingestion times from ${time(from)} to ${time(to)}` : `ingestion times up to ${time(to)}`;
}
