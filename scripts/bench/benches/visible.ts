import { Pool } from 'undici';
import { createApiServer } from '../../../src/api/server/api-server.js';
import { subscribeNewHeads } from '../../../src/chains/rpc/new-heads.js';
import { createRpcPool } from '../../../src/chains/rpc/rpc-pool.js';
import { createChainWatcher } from '../../../src/chains/watch/chain-watcher.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { createChainStore } from '../../../src/indexer/chain-store.js';
import { openLab, openTiers } from '../lab.js';
import { median, type Row } from '../measure.js';
import type { Bench } from '../report.js';
import { type EventChain, startEventChain } from '../workload/event-chain.js';
import { ON_RAMP, SOURCE_SELECTOR } from './events.js';

const POLL_MS = 1_000;
/** Pause between two looks for a message. */
const LOOK_MS = 2;
/** A message that is not there by then is lost. */
const LOST_MS = 30_000;

interface Way {
  readonly what: string;
  readonly url: (chain: EventChain) => string;
  /** p99, ms. */
  readonly aimMs: number;
}

const WAYS: readonly Way[] = [
  { what: `block to visible, polling ${POLL_MS} ms`, url: ({ url }) => url, aimMs: POLL_MS + 50 },
  { what: 'block to visible, WebSocket', url: ({ wsUrl }) => wsUrl, aimMs: 100 },
];

/**
 * From the request that makes a block until its message is an answer of the API: the watcher at the head, memory and
 * Postgres, HTTP.
 */
export const visible: Bench = async ({ quick }) => {
  const chain = await startEventChain(1, 1);
  const lab = await openLab();
  try {
    const rows: Row[] = [];
    for (const way of WAYS) {
      const row = await lab.inNamespace(async (namespace) => {
        const common = createCommon();
        const sink = await openTiers(lab, namespace, common);
        const rpc = createRpcPool({ chainName: 'bench', urls: [way.url(chain)], common });
        const server = createApiServer({ storage: sink, common, settings: { host: '127.0.0.1', port: 0 } });
        await server.listen();
        const stop = new AbortController();
        const watching = createChainWatcher({
          chain: {
            ...{ name: 'bench', selector: SOURCE_SELECTOR, onRamps: [{ address: ON_RAMP, startBlock: chain.from }] },
            ...{ confirmations: 'latest', pollIntervalMs: POLL_MS, maxBlockRange: 2_000 },
          },
          rpc,
          store: createChainStore({ storage: sink, selector: SOURCE_SELECTOR, rampAddresses: [ON_RAMP] }),
          writer: sink,
          common,
        }).run(stop.signal);
        try {
          return await measure(way, chain, `http://127.0.0.1:${server.address()?.port}`, quick ? 10 : 100);
        } finally {
          stop.abort();
          await watching;
          await server.close();
          await rpc.close();
          await sink.close();
        }
      });
      rows.push(row);
    }
    return { rows };
  } finally {
    await lab.close();
    await chain.stop();
  }
};

async function measure({ what, aimMs }: Way, chain: EventChain, api: string, messages: number): Promise<Row> {
  const client = new Pool(api, { connections: 1 });
  let heardMs = 0;
  const heads = subscribeNewHeads({
    url: chain.wsUrl,
    origin: { chain: 'bench', url: 0 },
    onHead: () => {
      heardMs = performance.now();
    },
    common: createCommon(),
  });
  const took: number[] = [];
  const heard: number[] = [];
  try {
    // the first one warms up
    for (let message = 0; message <= messages; message += 1) {
      await pause(Math.random() * POLL_MS);
      const messageId = await chain.emit();
      const startMs = performance.now();
      await chain.mine();
      await untilVisible(client, messageId, startMs);
      if (message === 0) continue;
      took.push(performance.now() - startMs);
      heard.push(heardMs - startMs);
    }
  } finally {
    heads.close();
    await client.close();
  }
  const sorted = took.toSorted((a, b) => a - b);
  const p99 = sorted[Math.ceil(0.99 * sorted.length) - 1] ?? Number.NaN;
  const ratio = p99 / aimMs;
  return {
    ...{ what, unit: 'ms', product: p99, ceiling: aimMs, ratio, spread: [ratio, ratio] },
    aim: { kind: 'atMost', ratio: 1 },
    note:
      `p99 of ${messages}, the ceiling is the aim; median ${median(took).toFixed(0)} ms. Time begins with the request that ` +
      `makes the block; a bare subscriber hears of it after ${median(heard).toFixed(0)} ms`,
  };
}

async function untilVisible(client: Pool, messageId: Hex, startMs: number): Promise<void> {
  while (performance.now() - startMs < LOST_MS) {
    const { statusCode, body } = await client.request({ path: `/v2/messages/${messageId}`, method: 'GET' });
    await body.dump();
    if (statusCode === 200) return;
    if (statusCode !== 404) throw new Error(`the API answered ${statusCode}`);
    await pause(LOOK_MS);
  }
  throw new Error(`message ${messageId} is not visible after ${LOST_MS} ms`);
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
