import { Pool } from 'undici';
import { MESSAGE_SENT_TOPIC } from '../../../src/chains/logs/message-sent-event.js';
import { createRpcPool } from '../../../src/chains/rpc/rpc-pool.js';
import { createChainWatcher } from '../../../src/chains/watch/chain-watcher.js';
import { createCommon } from '../../../src/core/common.js';
import { createChainStore } from '../../../src/indexer/chain-store.js';
import type { Sink } from '../../../src/sink/sink.js';
import { type Cost, type CpuCost, measureCost, medianCost } from '../cost.js';
import { type Lab, openLab, openTiers } from '../lab.js';
import { type Aim, compareInTurn, perSecond, type Row } from '../measure.js';
import { type Bench, type BenchOptions, joinReports, type Report } from '../report.js';
import { type EventChain, startEventChain } from '../workload/event-chain.js';
import { startLimitedNode } from '../workload/limited-node.js';
import { ON_RAMP, SOURCE_SELECTOR } from './events.js';

/** As many requests under way as the watcher has in a backfill. */
const DEPTH = 3;

/** Of one event, local node. */
const AIM = { nodeUs: 32, postgresUs: 18 };

/** As providers sell them. */
const LIMITS = { latencyMs: 50, requestsPerSecond: 25, mostLogs: 10_000 };
const NO_LIMITS = { latencyMs: 0, requestsPerSecond: 1_000_000, mostLogs: 1_000_000 };

interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Backfill of a chain that is dense with events, and of one that is sparse: the whole way from the node into a Sink of
 * memory and Postgres, against fetching the same logs in the same ranges, parsing the JSON, and throwing it away.
 */
export const backfill: Bench = async (options) =>
  joinReports([
    await compare({ blocks: 1_000, perBlock: 50 }, { kind: 'atLeast', ratio: 0.35 }, options),
    await compare({ blocks: 10_000, perBlock: 1 }, { kind: 'atLeast', ratio: 0.7 }, options),
  ]);

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
): Promise<Report> {
  const { quick } = options;
  const { perBlock } = full;
  const chain = await startEventChain(quick ? full.blocks / 5 : full.blocks, perBlock);
  const lab = await openLab();
  const rows: Row[] = [];
  const costs: Cost[] = [];
  try {
    for (const variant of VARIANTS) {
      const what = nameOf(chain, perBlock, variant);
      const measured: CpuCost[] = [];
      let ranges: readonly Range[] = [];
      const compared = await compareInTurn(quick ? 1 : 5, {
        async product() {
          const done = await lab.inNamespace((namespace) => backfillOnce(what, lab, namespace, chain, variant));
          ranges = done.ranges;
          measured.push(done.cost);
          return done.eventsPerSecond;
        },
        ceiling: () => perSecond(chain.events, () => fetchAll(chain, ranges)),
      });
      const note =
        `${ranges.length} ranges of up to ${Math.max(...ranges.map(({ from, to }) => to - from + 1))} blocks, ` +
        `${DEPTH} at a time`;
      rows.push({
        what,
        unit: 'events/s',
        ...compared,
        aim: variant.urls === 1 ? aim : null,
        note,
      });
      // the first round warmed up
      if (variant.urls === 1)
        costs.push({ what, ...medianCost(measured.slice(1)), aim: AIM, note: `one event, ${note}` });
    }
    rows.push(await throughLimits(lab, chain, perBlock, quick));
    return { rows, costs };
  } finally {
    await lab.close();
    await chain.stop();
  }
}

function nameOf({ events }: EventChain, perBlock: number, { urls, until }: Variant): string {
  return `backfill, ${events} events, ${perBlock} a block${urls === 1 ? '' : `, 2 URLs, ${until}`}`;
}

/**
 * The same backfill through a node far away that limits rate and answers, against one at the next desk that limits
 * nothing: all that the limits cost. They would allow more logs a second than are stored.
 */
async function throughLimits(lab: Lab, chain: EventChain, perBlock: number, quick: boolean): Promise<Row> {
  const { latencyMs, requestsPerSecond, mostLogs } = LIMITS;
  const what = `backfill, ${perBlock} a block, node ${latencyMs} ms away`;
  const limited = await startLimitedNode({ url: chain.url, ...LIMITS });
  const free = await startLimitedNode({ url: chain.url, ...NO_LIMITS });
  const from = async (url: string) => {
    const done = await lab.inNamespace((namespace) => backfillOnce(what, lab, namespace, { ...chain, url }));
    return done.eventsPerSecond;
  };
  try {
    const compared = await compareInTurn(quick ? 1 : 5, {
      product: () => from(limited.url),
      ceiling: () => from(free.url),
    });
    return {
      what,
      unit: 'events/s',
      ...compared,
      aim: { kind: 'atLeast', ratio: 0.9 },
      note: `${requestsPerSecond} requests/s, ${mostLogs} logs an answer, against a node without these limits`,
    };
  } finally {
    limited.stop();
    free.stop();
  }
}

async function backfillOnce(
  what: string,
  lab: Lab,
  namespace: string,
  chain: EventChain,
  { urls, until }: Variant = { urls: 1, until: 'stored' },
): Promise<{ readonly eventsPerSecond: number; readonly ranges: readonly Range[]; readonly cost: CpuCost }> {
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
    let eventsPerSecond = 0;
    const cost = await measureCost(what, lab.serverPid, async () => {
      eventsPerSecond = await perSecond(chain.events, () => watcher.run(stop.signal));
      return chain.events;
    });
    clearInterval(look);
    await checkAllStored(sink, chain);
    return { eventsPerSecond, ranges, cost };
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
