import type { ConfigProblem } from '../problems.js';
import type { ReadConditionSection, SinkBackendSection } from '../schema/storage-schema.js';

/** Bounds are inclusive and often whole seconds: ranges that meet in one second are meant to meet. */
const SHARED_BOUND_MS = 1_000;

/**
 * Conditions of two backends that contradict each other. Several backends may admit the same time: the first in order
 * is preferred, and the next one stands in when it fails (`recent` beside `always`, `older` reaching into `recent`).
 * Two overlaps cannot be meant that way:
 * - fixed ranges that overlap by more than their bounds: fixed ranges divide the past among backends;
 * - the same rolling window of two backends of one type: one of the two was to be another.
 * A stand-in for either has the condition `always`.
 */
export function readOverlaps(backends: readonly SinkBackendSection[], table: string): ConfigProblem[] {
  return backends.flatMap((later, index) =>
    backends.slice(0, index).flatMap((earlier, at): ConfigProblem[] => {
      const overlap = overlapOf(earlier, later);
      return overlap === null
        ? []
        : [
            {
              path: `${table}[${index}].ReadCondition`,
              message:
                `${overlap} ${table}[${at}] already: change one, or write Type = "always" if this one is to stand in ` +
                'when that one fails',
            },
          ];
    }),
  );
}

function overlapOf(a: SinkBackendSection, b: SinkBackendSection): string | null {
  if (!a.ReadCondition || !b.ReadCondition || a.ReadCondition.Type !== b.ReadCondition.Type) return null;
  switch (a.ReadCondition.Type) {
    case 'time_range':
      return rangeOverlap(a.ReadCondition, b.ReadCondition);
    case 'recent':
    case 'older': {
      const isSame =
        a.Type === b.Type && a.ReadCondition.LookbackWindowSeconds === b.ReadCondition.LookbackWindowSeconds;
      return isSame ? `the same window (${a.ReadCondition.LookbackWindowSeconds} s) is read from` : null;
    }
    default:
      return null;
  }
}

function rangeOverlap(a: ReadConditionSection, b: ReadConditionSection): string | null {
  const fromMs = Math.max(a.StartUnix ?? 0, b.StartUnix ?? 0);
  const toMs = Math.min(a.EndUnix ?? Number.POSITIVE_INFINITY, b.EndUnix ?? Number.POSITIVE_INFINITY);
  if (toMs - fromMs <= SHARED_BOUND_MS) return null;
  const end = Number.isFinite(toMs) ? `to ${new Date(toMs).toISOString()}` : 'on';
  return `ingestion times from ${new Date(fromMs).toISOString()} ${end} are read from`;
}
