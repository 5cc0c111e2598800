import type { Gap } from '../../../src/model/storage-errors.js';
import type { TiersProcess } from '../process/tiers-process.js';
import type { World } from './world.js';

/**
 * Why a gap must not have been named: something that works has all of what was asked. Null: it needs a tier that is broken,
 * or a cold one that was flushed between two pages of changes and covers nothing before it has the rest.
 * @param hotBefore `hotSince` when it was asked.
 */
export function unjustified(world: World, process: TiersProcess, gap: Gap, hotBefore: number): string | null {
  const isPartial = process.cold.coverage().throughMs < 0;
  if (!world.isBroken && !isPartial) return 'nothing is broken';
  switch (gap.kind) {
    case 'time':
      return canAnswer(world, process, gap.startMs, gap.endMs, hotBefore);
    case 'messageId': {
      const firstMs = world.state.bodies.get(gap.messageId)?.firstMs ?? Number.POSITIVE_INFINITY;
      const hot = Math.max(hotBefore, hotSince(world, process));
      if (firstMs !== Number.POSITIVE_INFINITY && firstMs > hot) return `the memory has all since ${hot}`;
      return world.outages.warm || world.shape === 'leader' || firstMs <= floorMs(process)
        ? null
        : `the database has all above ${floorMs(process)}`;
    }
    case 'transaction':
      return world.outages.warm || floorMs(process) >= 0 ? null : 'the database has all';
    case 'position': {
      const floor = process.warm?.storage.coverage().afterPosition ?? 0n;
      return world.outages.warm || gap.afterPosition < floor ? null : `the database tells all above ${floor}`;
    }
  }
}

function canAnswer(
  world: World,
  process: TiersProcess,
  startMs: number,
  endMs: number,
  hotBefore: number,
): string | null {
  const hot = Math.max(hotBefore, hotSince(world, process));
  // beyond its last commit a follower does not speak for a range whose end is named: another process may know more
  const isKnownToHot = endMs === Number.POSITIVE_INFINITY || endMs <= world.state.headMs;
  if (isKnownToHot && startMs > hot) return `the memory has all since ${hot}`;
  if (process.warm && !world.outages.warm && startMs > floorMs(process))
    return `the database has all above ${floorMs(process)}`;
  // without the database nobody knows what another process has done since to what the cold tier lists
  if (process.warm && world.outages.warm) return null;
  const cold = process.cold.coverage();
  const isWhole = cold.throughPosition === world.state.position && cold.throughMs >= endMs;
  return !world.outages.cold && isWhole ? `the cold tier has all through ${cold.throughMs}` : null;
}

/** The memory answers, at this moment, for times above this; Infinity: for none, because it is late. */
export function hotSince(world: World, { hot }: TiersProcess): number {
  if (!hot) return Number.POSITIVE_INFINITY;
  const { throughPosition, throughMs, afterMs } = hot.coverage();
  const isCurrent = throughMs === Number.POSITIVE_INFINITY && throughPosition === world.state.position;
  return isCurrent ? afterMs : Number.POSITIVE_INFINITY;
}

function floorMs({ warm }: TiersProcess): number {
  return warm?.storage.coverage().afterMs ?? Number.POSITIVE_INFINITY;
}
