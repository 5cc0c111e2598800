import { Pool } from 'undici';
import { MESSAGE_SENT_TOPIC } from '../../../src/chains/logs/message-sent-event.js';
import { createRpcPool } from '../../../src/chains/rpc/rpc-pool.js';
import { createChainWatcher } from '../../../src/chains/watch/chain-watcher.js';
import { createCommon } from '../../../src/core/common.js';
import { createChainStore } from '../../../src/indexer/chain-store.js';
import type { Sink } from '../../../src/sink/sink.js';
import { type Lab, openLab, openTiers } from '../lab.js';
import { type Aim, compareInTurn, perSecond, type Row } from '../measure.js';
import type { Bench, BenchOptions } from '../report.js';
import { type EventChain, startEventChain } from '../workload/event-chain.js';
import { ON_RAMP, SOURCE_SELECTOR } from './events.js';

/** As many requests under way as the watcher has in a backfill. */
const DEPTH = 3;

interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Backfill of a chain that is dense with events, and of one that is sparse: the whole way from the node into a Sink of
 * memory and Postgres, against fetching the same logs in the same ranges, parsing the JSON, and throwing it away.
 */
export const backfill: Bench = async (options) => ({
  rows: [
    ...(await compare({ blocks: 1_000, perBlock: 50 }, { kind: 'atLeast', ratio: 0.35 }, options)),
    ...(await compare({ blocks: 10_000, perBlock: 1 }, { kind: 'atLeast', ratio: 0.7 }, options)),
  ],
});

/**
 * Number of URLs of the chain, and the end of the measurement: the last event stored, or confirmed by the second URL.
 */
interface Variant {
  readonly urls: 1 | 2;
  readonly until: 'stored' | 'confirmed';
}

const VARIANTS: readonly Variant[] = [
  { urls: 1, until: 'stored' },
  { urls: 2, until: 'stored' },
  { urls: 2, until: 'confirmed' },
];

async function compare(
  full: { readonly blocks: number; readonly perBlock: number },
  aim: Aim,
  options: BenchOptions,
): Promise<readonly Row[]> {
  const { quick } = options;
  const { perBlock } = full;
  const chain = await startEventChain(quick ? full.blocks / 5 : full.blocks, perBlock);
  const lab = await openLab();
  const rows: Row[] = [];
  try {
    for (const variant of VARIANTS) {
      let ranges: readonly Range[] = [];
      const compared = await compareInTurn(quick ? 1 : 5, {
        async product() {
          const done = await lab.inNamespace((namespace) => backfillOnce(lab, namespace, chain, variant));
          ranges = done.ranges;
          return done.eventsPerSecond;
        },
        ceiling: () => perSecond(chain.events, () => fetchAll(chain, ranges)),
      });
      const how = variant.urls === 1 ? '' : `, 2 URLs, ${variant.until}`;
      rows.push({
        what: `backfill, ${chain.events} events, ${perBlock} a block${how}`,
        unit: 'events/s',
        ...compared,
        aim: variant.urls === 1 ? aim : null,
        note:
          `${ranges.length} ranges of up to ${Math.max(...ranges.map(({ from, to }) => to - from + 1))} blocks, ` +
          `${DEPTH} at a time`,
      });
    }
    return rows;
  } finally {
    await lab.close();
    await chain.stop();
  }
}

async function backfillOnce(
  lab: Lab,
  namespace: string,
  chain: EventChain,
  { urls, until }: Variant = { urls: 1, until: 'stored' },
): Promise<{ readonly eventsPerSecond: number; readonly ranges: readonly Range[] }> {
  const common = createCommon();
  const sink = await openTiers(lab, namespace, common);
  const rpc = createRpcPool({ chainName: 'bench', urls: [chain.url, `${chain.url}/`].slice(0, urls), common });
  const stop = new AbortController();
  const ranges: Range[] = [];
  let isStored = false;
  const watcher = createChainWatcher({
    chain: {
      name: 'bench',
      selector: SOURCE_SELECTOR,
      onRamps: [{ address: ON_RAMP, startBlock: chain.from }],
      confirmations: 'finalized',
      pollIntervalMs: 1_000,
      maxBlockRange: 2_000,
    },
    rpc,
    store: createChainStore({ storage: sink, selector: SOURCE_SELECTOR, rampAddresses: [ON_RAMP] }),
    writer: sink,
    common,
    onProgress({ blocksDone }) {
      const to = chain.from + blocksDone - 1;
      ranges.push({ from: (ranges.at(-1)?.to ?? chain.from - 1) + 1, to });
      if (to >= chain.to) isStored = true;
      if (isStored && until === 'stored') stop.abort();
    },
  });
  try {
    const look = setInterval(() => {
      if (isStored && until === 'confirmed' && watcher.status().crossCheck.unconfirmedBlocks === 0) stop.abort();
    }, 2);
    const eventsPerSecond = await perSecond(chain.events, () => watcher.run(stop.signal));
    clearInterval(look);
    await checkAllStored(sink, chain);
    return { eventsPerSecond, ranges };
  } finally {
    await rpc.close();
    await sink.close();
  }
}

async function checkAllStored(sink: Sink, { events }: EventChain): Promise<void> {
  const { count: stored } = await sink.countMessages({});
  const quarantined = await sink.queryQuarantine({ afterPosition: 0n, limit: 1 });
  if (stored !== events || quarantined.length > 0)
    throw new Error(`${stored} of ${events} events were stored, ${quarantined.length} quarantined`);
}

async function fetchAll(chain: EventChain, ranges: readonly Range[], depth = DEPTH): Promise<void> {
  const pool = new Pool(chain.url, { connections: depth });
  let next = 0;
  let events = 0;
  try {
    await Promise.all(
      Array.from({ length: depth }, async () => {
        while (next < ranges.length) {
          const range = ranges[next]!;
          next += 1;
          const found = await fetchLogs(pool, range);
          events += found;
        }
      }),
    );
  } finally {
    await pool.close();
  }
  if (ranges.length > 0 && events !== chain.events) throw new Error(`${events} of ${chain.events} events were fetched`);
}

async function fetchLogs(pool: Pool, { from, to }: Range): Promise<number> {
  const filter = {
    ...{ address: ON_RAMP, topics: [MESSAGE_SENT_TOPIC] },
    ...{ fromBlock: `0x${from.toString(16)}`, toBlock: `0x${to.toString(16)}` },
  };
  const response = await pool.request({
    path: '/',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_getLogs', params: [filter] }),
  });
  const { result } = JSON.parse(await response.body.text()) as { readonly result: readonly unknown[] };
  return result.length;
}
