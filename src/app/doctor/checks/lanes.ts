import type { Config } from '../../../config/schema/schema.js';
import type { StoredMessage } from '../../../model/records.js';
import { decodeMessage } from '../../../protocol/message-codec.js';
import {
  type LanePlace,
  lastPlaces,
  placesWithoutBlock,
  sourceChains,
} from '../../../storage/postgres/diagnosis/lanes.js';
import type { NamedSection } from '../../backend-sections.js';
import { defineCheck, type Look } from '../check.js';
import { withDatabase } from '../databases.js';
import { type LaneGap, laneGaps, withoutKnown } from '../lane-gaps.js';
import { recordSection, withBackend } from '../record.js';

/** Of each source chain, without `--full`. */
const MOST_MESSAGES = 5_000;
/** Of each source chain, where messages are found by their block. */
const MOST_BLOCKS = 10_000;
const MOST_WITHOUT_BLOCK = 10_000;
/** Gaps of one lane that are told each by itself. */
const MOST_RANGES = 10;

/** Numbers of messages that are missing between others of their lane. */
export const laneCheck = defineCheck({
  name: 'lanes',
  about:
    'message numbers that are missing between others of their lane, as the system of record has them (the last ' +
    '5000 messages of each source chain; all with `--full`)',
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
    const section = recordSection(look.config);
    if (!section) return;
    const lookAt = section.Type === 'postgres' ? databaseLanes : coldLanes;
    await look.each(
      [section],
      ({ Name }) => Name,
      () => lookAt(section, look),
    );
  },
});

async function databaseLanes(section: NamedSection, look: Look<'lane-gap'>): Promise<void> {
  await withDatabase(section, look, async (diagnosis) => {
    for (const source of await sourceChains(diagnosis)) {
      const most = look.isFull ? Number.POSITIVE_INFINITY : MOST_MESSAGES;
      const gaps = await laneGaps(lastPlaces(diagnosis, source, most));
      if (gaps.length === 0) continue;
      tell(source, withoutKnown(gaps, await placesWithoutBlock(diagnosis, source, MOST_WITHOUT_BLOCK)), look);
    }
  });
}

/** The cold tier as the system of record finds messages by their block. */
async function coldLanes(section: NamedSection, look: Look<'lane-gap'>): Promise<void> {
  await withBackend(section, look, async (backend) => {
    const cursors = await backend.listCursors();
    for (const { Selector } of look.config.Chain) {
      const heights = cursors.filter(({ sourceId }) => sourceId.startsWith(`chain:${Selector}:`));
      const top = Math.max(0, ...heights.map(({ height }) => Number(height)));
      const after = look.isFull ? 0n : BigInt(Math.max(0, top - MOST_BLOCKS));
      const messages = await backend.messagesAboveBlock(Selector, after);
      tell(Selector, await laneGaps(messages.flatMap(placeOf).reverse()), look);
    }
  });
}

function placeOf({ encodedMessage, origin }: StoredMessage): LanePlace[] {
  if (!origin) return [];
  const { destChainSelector, onRampAddress, messageNumber } = decodeMessage(encodedMessage);
  return [{ destChainSelector, onRampAddress, messageNumber, blockNumber: origin.blockNumber }];
}

function tell(source: bigint, gaps: readonly LaneGap[], { config, found }: Look<'lane-gap'>): void {
  const lanes = new Map<string, LaneGap[]>();
  for (const gap of gaps) {
    const lane = `${gap.destChainSelector} of ${gap.onRampAddress}`;
    lanes.set(lane, [...(lanes.get(lane) ?? []), gap]);
  }
  for (const lane of lanes.values()) {
    const [newest] = lane;
    const oldest = lane.at(-1);
    if (!newest || !oldest) continue;
    found('lane-gap', `${source} → ${newest.destChainSelector}`, {
      onRamp: newest.onRampAddress,
      missing: lane.reduce((sum, { missing }) => sum + missing, 0n),
      ranges: lane.slice(0, MOST_RANGES).map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)),
      chain: chainNameOf(config, source),
      fromBlock: oldest.fromBlock,
      toBlock: newest.toBlock,
    });
  }
}

function chainNameOf({ Chain }: Config, source: bigint): string {
  return Chain.find(({ Selector }) => Selector === source)?.Name ?? '<chain>';
}
