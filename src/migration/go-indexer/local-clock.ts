import { InvalidArgumentError } from '../../core/errors.js';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Offsets change at quarters of an hour at most. */
const BUCKET_MS = 15 * MINUTE_MS;
const OFFSET = /^(?<sign>[+-])(?<hour>\d\d):?(?<minute>\d\d)$/;

/**
 * The wall clock of a zone. A *local time* is that clock's reading as if it were UTC, unix ms: the form in which a
 * `timestamp without time zone` comes.
 */
export interface LocalClock {
  readonly zone: string;
  /** The instants (unix ms, rising) at which the clock reads so: none in a gap, two in a fold. */
  instantsOf(localMs: number): readonly number[];
  /** The first instant at which the clock reads so or more. Later local times never have earlier ones. */
  firstInstant(localMs: number): number;
  /** The reading at an instant. */
  localMs(instantMs: number): number;
}

/**
 * @param zone an IANA name (`Europe/Berlin`, `UTC`) or an offset (`+02:00`).
 * @throws InvalidArgumentError for anything else.
 */
export function createLocalClock(zone: string): LocalClock {
  const offsetAt = offsetsOf(zone);
  const around = (localMs: number) => [offsetAt(localMs - DAY_MS), offsetAt(localMs + DAY_MS)] as const;

  function instantsOf(localMs: number): readonly number[] {
    const [before, after] = around(localMs);
    const instants = [localMs - before, localMs - after].filter((at) => at + offsetAt(at) === localMs);
    return [...new Set(instants)].sort((a, b) => a - b);
  }

  return {
    zone,
    instantsOf,
    firstInstant(localMs) {
      const [first] = instantsOf(localMs);
      if (first !== undefined) return first;
      const [before, after] = around(localMs);
      // in a gap: the moment at which the clock jumps over the reading
      let low = localMs - Math.max(before, after);
      let high = localMs - Math.min(before, after);
      while (high - low > 1) {
        const middle = Math.floor((low + high) / 2);
        if (middle + offsetAt(middle) >= localMs) high = middle;
        else low = middle;
      }
      return high;
    },
    localMs: (instantMs) => instantMs + offsetAt(instantMs),
  };
}

/** The names of zones whose clocks have each of these offsets at its instant. */
export function zonesWith(observed: readonly { readonly atMs: number; readonly offsetMs: number }[]): string[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone')].filter((zone) => {
    const offsetAt = offsetsOf(zone);
    return observed.every(({ atMs, offsetMs }) => offsetAt(atMs) === offsetMs);
  });
}

/** An offset as people write it: `+02:00`. */
export function offsetText(offsetMs: number): string {
  const minutes = Math.abs(offsetMs) / MINUTE_MS;
  const two = (value: number) => String(value).padStart(2, '0');
  return `${offsetMs < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** Offset of the zone at an instant, ms: local time less UTC. */
function offsetsOf(zone: string): (instantMs: number) => number {
  const fixed = OFFSET.exec(zone)?.groups;
  if (fixed) {
    const minutes = Number(fixed['hour']) * 60 + Number(fixed['minute']);
    const offsetMs = minutes * MINUTE_MS * (fixed['sign'] === '-' ? -1 : 1);
    return () => offsetMs;
  }
  const format = formatOf(zone);
  const known = new Map<number, number>();
  return (instantMs) => {
    const bucket = Math.floor(instantMs / BUCKET_MS);
    let offsetMs = known.get(bucket);
    if (offsetMs === undefined) {
      offsetMs = offsetBy(format, bucket * BUCKET_MS);
      known.set(bucket, offsetMs);
    }
    return offsetMs;
  };
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const numeric = '2-digit' as const;
  const date = { year: 'numeric', month: numeric, day: numeric } as const;
  const time = { hour: numeric, minute: numeric, second: numeric, hourCycle: 'h23' } as const;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, ...date, ...time });
  } catch (cause) {
    throw new InvalidArgumentError(
      `"${timeZone}" is no time zone: write an IANA name ("Europe/Berlin", "UTC") or an offset ("+02:00")`,
      { cause },
    );
  }
}

function offsetBy(format: Intl.DateTimeFormat, instantMs: number): number {
  const parts = new Map(format.formatToParts(instantMs).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
  const day = Date.UTC(part('year'), part('month') - 1, part('day'));
  return day + ((part('hour') * 60 + part('minute')) * 60 + part('second')) * 1_000 - instantMs;
}
