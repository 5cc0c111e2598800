import { describe, expect, test } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { CoverageGapError, StorageUnavailableError } from '../../../src/model/storage-errors.js';
import type { Backend } from '../../../src/sink/backend.js';
import { Met, type Part, ReadLoop } from '../../../src/sink/read/read-loop.js';

const backend = (name: string) => ({ name, follower: null }) as Backend;

describe('the loop that plans again', () => {
  test('the parts of a backend that failed are planned without cost: however many there are, another answers', async () => {
    const [failing, other] = [backend('failing'), backend('other')];
    const loop = new ReadLoop(createCommon(), 0);
    const asked: string[] = [];
    const answer = await loop.answer<Part, number>({
      met: new Met(),
      boundsLooks: true,
      begin: () => Array.from({ length: 60 }, () => ({ asked: failing, steps: 0 })),
      again: (_part, _why, steps) => [{ asked: other, steps }],
      ask: async (part) => {
        const { name } = part.asked as Backend;
        asked.push(name);
        if (name === 'failing') throw new StorageUnavailableError(name, 'answer (injected)');
        return 'told';
      },
      end: () => ({ answer: asked.length }),
      behind: () => ({ tiers: [], late: [] }),
      gap: () => new CoverageGapError({ kind: 'time', startMs: 0, endMs: 1 }, 'sink'),
    });
    expect(answer).toBe(61);
    expect(asked.filter((name) => name === 'failing')).toHaveLength(1);
  });

  test('promise 3: a part that its backend lacks in every plan is a gap, after a bounded number of plans', async () => {
    const lacking = backend('lacking');
    const loop = new ReadLoop(createCommon(), 0);
    let asked = 0;
    const part = { asked: lacking, steps: 0 };
    const answering = loop.answer<Part, number>({
      met: new Met(),
      boundsLooks: true,
      begin: () => [part],
      again: () => [part],
      ask: async () => {
        asked += 1;
        return 'lacks';
      },
      end: () => ({ answer: asked }),
      behind: () => ({ tiers: [], late: [] }),
      gap: () => new CoverageGapError({ kind: 'time', startMs: 0, endMs: 1 }, 'sink'),
    });
    await expect(answering).rejects.toMatchObject({ name: 'CoverageGapError' });
    expect(asked).toBe(24);
  });
});
