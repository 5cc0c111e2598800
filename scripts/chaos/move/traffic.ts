import { setTimeout as delay } from 'node:timers/promises';
import type { EmittedChain } from '../../../test/support/e2e/emitted-chain.js';

/** Makes a block of `messages` every so often. @returns ends it. */
export function startTraffic(chain: EmittedChain, messages: number, everyMs: number): () => Promise<void> {
  let isOver = false;
  const running = (async () => {
    for (let dueMs = performance.now(); !isOver; ) {
      await chain.block(messages);
      dueMs += everyMs;
      await delay(Math.max(0, dueMs - performance.now()));
    }
  })();
  running.catch(() => 'told by the end');
  return async () => {
    isOver = true;
    await running;
  };
}
