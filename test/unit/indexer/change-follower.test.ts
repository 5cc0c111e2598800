import { expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { ChangeFollower } from '../../../src/indexer/change-follower.js';
import type { ChangeSet } from '../../../src/model/batch.js';
import type { AdvanceListener, Storage } from '../../../src/storage/storage.js';
import { createManualClock } from '../../support/manual-clock.js';

const HEAD = { headMovePosition: 0n, readMs: 0, changes: [] };

/** A storage that stands at `position`, where the commit before the last one has the time `beforeMs`. */
function storageAt(state: { position: bigint; headMs: number; beforeMs: number | null }) {
  let tell: AdvanceListener = () => undefined;
  const set = (afterPosition: bigint): ChangeSet => {
    const { position, headMs, beforeMs } = state;
    const follows = { position: afterPosition, ingestionMs: beforeMs };
    return { ...HEAD, afterPosition, follows, throughPosition: position, headPosition: position, headMs };
  };
  const storage = {
    subscribe: (listener: AdvanceListener) => {
      tell = listener;
      return () => undefined;
    },
    queryUnfinishedMessages: async () => ({ items: [], next: null, asOf: { position: state.position } }),
    changesAfter: async (afterPosition: bigint) => set(afterPosition),
  } as unknown as Storage;
  return { storage, advance: () => tell({ kind: 'advanced', throughPosition: state.position }) };
}

test.each([
  { beforeMs: 100, told: [2n, 3n], gaps: 0 },
  { beforeMs: 99, told: [2n], gaps: 1 },
  { beforeMs: null, told: [2n], gaps: 1 },
])(
  'looks at everything anew when the commit that it knows has become another: %o',
  async ({ beforeMs, told, gaps }) => {
    const state = { position: 1n, headMs: 50, beforeMs: 50 as number | null };
    const { storage, advance } = storageAt(state);
    const clock = createManualClock();
    const seen = { told: [] as bigint[], gaps: 0 };
    const follower = new ChangeFollower({
      storage,
      common: createCommon({ clock }),
      onChanges: ({ throughPosition }) => seen.told.push(throughPosition),
      onGap: () => {
        seen.gaps += 1;
      },
    });
    const stop = new AbortController();
    await follower.start(stop.signal);
    const running = follower.run(stop.signal);
    Object.assign(state, { position: 2n, headMs: 100 });
    advance();
    await clock.settle();
    Object.assign(state, { position: 3n, headMs: 200, beforeMs });
    advance();
    await clock.settle();
    expect(seen).toEqual({ told, gaps });
    expect(follower.position).toBe(3n);
    stop.abort();
    await running;
  },
);
