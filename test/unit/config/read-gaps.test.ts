import { describe, expect, test } from 'vitest';
import { readGaps, storedAges } from '../../../src/config/checks/read-gaps.js';
import type { ReadConditionSection, SinkBackendSection } from '../../../src/config/schema/storage-schema.js';
import { POSTGRES_DEFAULTS } from '../../../src/config/schema/storage-schema.js';

const DAY_S = 86_400;

/** A backend; `flushS`: it is cold and flushes so often. */
function backend(condition: ReadConditionSection | null, wish: { retentionS?: number; flushS?: number } = {}) {
  const section = {
    Type: 'postgres' as const,
    Postgres: { ...POSTGRES_DEFAULTS, Retention: (wish.retentionS ?? 0) * 1_000 },
    ...(condition ? { ReadCondition: condition } : {}),
  } satisfies SinkBackendSection;
  return { section, ages: storedAges(section, wish.flushS === undefined ? null : wish.flushS * 1_000) };
}
const recent = (seconds: number): ReadConditionSection => ({ Type: 'recent', LookbackWindowSeconds: seconds });
const older = (seconds: number): ReadConditionSection => ({ Type: 'older', LookbackWindowSeconds: seconds });
const fixed = (fromMs?: number, toMs?: number): ReadConditionSection => ({
  Type: 'time_range',
  ...(fromMs === undefined ? {} : { StartUnix: fromMs }),
  ...(toMs === undefined ? {} : { EndUnix: toMs }),
});
const gapsOf = (...backends: ReturnType<typeof backend>[]) => readGaps(backends).map(({ message }) => message);

describe('gaps between what backends answer for', () => {
  test('a cold tier that begins where the warm one ends, or before, leaves none', () => {
    expect(gapsOf(backend(null, { retentionS: DAY_S }), backend(null, { flushS: 300 }))).toEqual([]);
    expect(gapsOf(backend(recent(DAY_S)), backend(older(DAY_S), { flushS: 300 }))).toEqual([]);
    expect(gapsOf(backend(recent(DAY_S)), backend(older(3_600)))).toEqual([]);
  });

  test('a hot window shorter than the cold flush lag is refused', () => {
    expect(gapsOf(backend(recent(300)), backend(null, { flushS: 300 }))).toEqual([
      expect.stringMatching(/between 300.001 s and 404.999 s old/),
    ]);
  });

  test('a retention shorter than what the cold condition leaves to others is refused', () => {
    expect(gapsOf(backend(null, { retentionS: DAY_S }), backend(older(2 * DAY_S), { flushS: 300 }))).toHaveLength(1);
  });

  test('rolling and fixed conditions with a hole in the middle are refused', () => {
    expect(gapsOf(backend(recent(60)), backend(older(90)))).toHaveLength(1);
    expect(gapsOf(backend(fixed(undefined, 1_000)), backend(fixed(2_000)))).toEqual([
      expect.stringContaining('from 1970-01-01T00:00:01.001Z to 1970-01-01T00:00:01.999Z'),
    ]);
    expect(gapsOf(backend(fixed(undefined, 1_000)), backend(fixed(1_001)))).toEqual([]);
  });

  test('a mixture is refused only when neither kind is whole', () => {
    expect(gapsOf(backend(fixed(undefined, 1_000)), backend(fixed(2_000)), backend(null))).toEqual([]);
    expect(gapsOf(backend(fixed(undefined, 1_000)), backend(recent(60)))).toEqual([]);
  });

  test('a cold tier that is read for fixed times only takes over from a pruned one when they do not end', () => {
    const pruned = backend(null, { retentionS: DAY_S });
    const refused = [expect.stringContaining('records more than 86400 s old')];
    expect(gapsOf(pruned, backend(fixed(), { flushS: 300 }))).toEqual([]);
    expect(gapsOf(pruned, backend(fixed(0), { flushS: 300 }))).toEqual([]);
    expect(gapsOf(pruned, backend(fixed(1_900_000_000_000), { flushS: 300 }))).toEqual(refused);
    expect(gapsOf(pruned, backend(fixed(undefined, 1_600_000_000_000), { flushS: 300 }))).toEqual(refused);
  });

  test('fixed times alone are a whole when a cold tier has those that ended and a database those that go on', () => {
    const ended = backend(fixed(undefined, 1_700_000_000_000), { flushS: 300 });
    expect(gapsOf(backend(fixed(1_700_000_000_000)), ended)).toEqual([]);
    expect(gapsOf(backend(fixed(1_700_000_001_000)), ended)).toEqual([
      expect.stringContaining('times from 2023-11-14T22:13:20.001Z to 2023-11-14T22:13:20.999Z'),
    ]);
    const cold = backend(fixed(1_700_000_000_000), { flushS: 300 });
    expect(gapsOf(backend(fixed(undefined, 1_700_000_000_000)), cold)).toEqual([
      expect.stringContaining('times from 2023-11-14T22:13:20.001Z on'),
    ]);
    expect(gapsOf(cold)).toEqual([expect.stringContaining('records of any age')]);
  });

  test('what a cold tier has not yet heard of may be read for fixed times that go on', () => {
    const cold = backend(null, { flushS: 300 });
    expect(gapsOf(backend(fixed(1_600_000_000_000)), cold)).toEqual([]);
    expect(gapsOf(backend(fixed(undefined, 1_600_000_000_000)), cold)).toHaveLength(1);
  });
});
