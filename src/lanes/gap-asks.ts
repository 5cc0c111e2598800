import type { GapAsk, MissingNumbers } from '../storage/lane-records.js';

/** How often a gap was asked for, as itself or as part of a wider one. */
export function askOf(
  asks: readonly GapAsk[],
  gap: MissingNumbers,
): Pick<GapAsk, 'timesAsked'> & { askedMs: number | null } {
  const of = asks.filter(
    (ask) =>
      ask.onRampAddress === gap.onRampAddress &&
      ask.fromNumber <= gap.fromNumber &&
      ask.throughNumber >= gap.throughNumber &&
      ask.sourceChainSelector === gap.sourceChainSelector &&
      ask.destChainSelector === gap.destChainSelector,
  );
  if (of.length === 0) return { timesAsked: 0, askedMs: null };
  return {
    timesAsked: of.reduce((sum, { timesAsked }) => sum + timesAsked, 0),
    askedMs: Math.max(...of.map(({ askedMs }) => askedMs)),
  };
}
