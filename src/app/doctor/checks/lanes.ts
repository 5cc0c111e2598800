import type { Config } from '../../../config/schema/schema.js';
import { lastPlaces, placesWithoutBlock, sourceChains } from '../../../storage/postgres/diagnosis/lanes.js';
import { backendSections, leadingDatabase } from '../../backend-sections.js';
import { defineCheck, type Look } from '../check.js';
import { withDatabase } from '../databases.js';
import { type LaneGap, laneGaps } from '../lane-gaps.js';

/** Of each source chain, without `--full`. */
const MOST_MESSAGES = 5_000;
const MOST_WITHOUT_BLOCK = 10_000;
/** Gaps of one lane that are told each by itself. */
const MOST_RANGES = 10;

/** Numbers of messages that are missing between others of their lane. */
export const laneCheck = defineCheck({
  name: 'lanes',
  about:
    'message numbers that are missing between others of their lane, in the database (the last 5000 messages of ' +
    'each source chain; all with `--full`)',
  kinds: {
    'lane-gap': {
      severity: 'error',
      meaning:
        'OnRamps number messages without a gap, and some are not stored: they were missed, or are in quarantine.',
      next:
        'see /quarantine of the admin port; then ' +
        '`ccv-indexer replay chain --chain {chain} --from {fromBlock} --to {toBlock}`',
    },
  },
  async run(look) {
    const section = leadingDatabase(backendSections(look.config));
    if (!section) return;
    await look.each(
      [section],
      ({ Name }) => Name,
      async () => {
        await withDatabase(section, look, async (diagnosis) => {
          for (const source of await sourceChains(diagnosis)) {
            const most = look.isFull ? Number.POSITIVE_INFINITY : MOST_MESSAGES;
            const inOrder = await lastPlaces(diagnosis, source, most);
            const gaps = laneGaps(inOrder, []);
            if (gaps.length === 0) continue;
            const left = laneGaps(inOrder, await placesWithoutBlock(diagnosis, source, MOST_WITHOUT_BLOCK));
            tell(source, left, look);
          }
        });
      },
    );
  },
});

function tell(source: bigint, gaps: readonly LaneGap[], { config, found }: Look<'lane-gap'>): void {
  const lanes = new Map<string, LaneGap[]>();
  for (const gap of gaps) {
    const lane = `${gap.destChainSelector} of ${gap.onRampAddress}`;
    lanes.set(lane, [...(lanes.get(lane) ?? []), gap]);
  }
  for (const lane of lanes.values()) {
    const [firstGap] = lane;
    const lastGap = lane.at(-1);
    if (!firstGap || !lastGap) continue;
    found('lane-gap', `${source} → ${firstGap.destChainSelector}`, {
      onRamp: firstGap.onRampAddress,
      missing: lane.reduce((sum, { missing }) => sum + missing, 0n),
      ranges: lane.slice(0, MOST_RANGES).map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)),
      chain: chainNameOf(config, source),
      fromBlock: firstGap.fromBlock,
      toBlock: lastGap.toBlock,
    });
  }
}

function chainNameOf({ Chain }: Config, source: bigint): string {
  return Chain.find(({ Selector }) => Selector === source)?.Name ?? '<chain>';
}
