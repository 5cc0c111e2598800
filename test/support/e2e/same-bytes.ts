import { expect } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { body, type ListedMessage, listMessages } from './http.js';
import type { RunningService } from './service.js';

/** Both lists with every filter and page that a client might use, over ingestion times up to `endMs`. */
function closedQueries(startMs: number, endMs: number): string[] {
  const middleMs = Math.floor((startMs + endMs) / 2);
  return ['messages', 'verifierresults'].flatMap((list) =>
    [
      `end=${endMs}&limit=1000`,
      `end=${endMs}`,
      `end=${endMs}&limit=7&offset=13`,
      `start=${middleMs}&end=${endMs}&limit=1000`,
      `end=${middleMs}&limit=1000`,
      `end=${endMs}&sourceChainSelectors=3379446385462418246&destChainSelectors=7759470850252068959&limit=50`,
      `end=${endMs}&sourceChainSelectors=1`,
    ].map((query) => `/v1/${list}?${query}`),
  );
}

/** What is closed and at rest reads the same on both, byte by byte. */
export async function expectSameBytes(
  [first, second]: readonly [RunningService, RunningService],
  messageIds: readonly Hex[],
): Promise<void> {
  const listed = await listMessages(first.apiUrl);
  const lastMs = latestMs(listed);
  const paths = [
    ...closedQueries(Date.parse([...listed.values()][0]!.metadata.ingestionTimestamp), lastMs),
    ...messageIds.slice(0, 5).map((id) => `/v1/verifierresults/${id}`),
  ];
  for (const path of paths) {
    const [a, b] = await Promise.all([body(`${first.apiUrl}${path}`), body(`${second.apiUrl}${path}`)]);
    expect(a, path).toBe(b);
  }
  expect((await listMessages(first.apiUrl, `end=${lastMs}&limit=1000`)).size).toBe(listed.size);
}

/** Ingestion time of the last of them, unix ms. */
export function latestMs(listed: ReadonlyMap<string, ListedMessage>): number {
  return Math.max(...[...listed.values()].map(({ metadata }) => Date.parse(metadata.ingestionTimestamp)));
}
