import { describe, expect, it } from 'vitest';
import { createLaneProgress } from '../../../scripts/devnet/lane/lane-progress.js';
import { renderLine, renderSummary, renderTierLines } from '../../../scripts/devnet/view/live-table.js';
import type { TierSnapshot } from '../../../scripts/devnet/view/tier-table.js';

const TIERS: TierSnapshot = {
  rows: [
    {
      name: 'hot',
      records: 212,
      positions: { fromPosition: 12_001n, throughPosition: 12_450n },
      lookups: 1_204,
      lists: 310,
    },
    {
      name: 'warm',
      records: 840,
      positions: { fromPosition: 11_200n, throughPosition: 12_450n },
      lookups: 40,
      lists: 12,
    },
    { name: 'cold', records: null, positions: null, lookups: 18, lists: 4 },
  ],
  sharedLists: 55,
  unanswered: 0,
};
const STYLE = { columns: 80, color: false };

describe('the table of tiers', () => {
  it('shows what each holds and what it was asked and answered, within 80 columns', () => {
    expect(renderTierLines(TIERS, STYLE).join('\n')).toMatchInlineSnapshot(`
      "tier                records         positions  lookups    lists
      hot                     212       12001–12450     1204      310
      warm                    840       11200–12450       40       12
      cold                      –                 –       18        4
      several together                                             55"
    `);
  });

  it('says when nobody could answer', () => {
    expect(renderTierLines({ ...TIERS, unanswered: 3 }, STYLE).at(-1)).toBe(
      '3 questions that no tier could answer just then',
    );
  });

  it('is cut on a narrower terminal, and left out while nothing is known', () => {
    expect(Math.max(...renderTierLines(TIERS, { ...STYLE, columns: 30 }).map((line) => line.length))).toBe(30);
    expect(renderTierLines(null, STYLE)).toEqual([]);
  });

  it('stands before the last sentence of a summary, and at the end of a line in a log', () => {
    const snapshot = createLaneProgress(() => 0).snapshot();
    const summary = renderSummary(snapshot, STYLE, TIERS);
    expect(summary.at(-1)).toBe('all 0 messages sent were executed, in 0:00');
    expect(summary.slice(-7, -2)).toEqual(renderTierLines(TIERS, STYLE));
    expect(renderLine(snapshot, TIERS)).toBe(
      '0:00  sent 0  indexed 0  verified 0  executed 0  tiers hot 212 (1204 lookups, 310 lists)  warm 840 (40 lookups, 12 lists)  cold – (18 lookups, 4 lists)',
    );
  });
});
