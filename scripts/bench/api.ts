/**
 * The query API against a Fastify route that returns a constant buffer of the same size, in the same process: answers by
 * message id, and pages of 100.
 */
import autocannon from 'autocannon';
import { fastify } from 'fastify';
import { createApiServer } from '../../src/api/api-server.js';
import { createCommon } from '../../src/core/common.js';
import type { Storage } from '../../src/storage/storage.js';

/** One measured route and its ceiling. */
export interface ApiRatio {
  readonly route: string;
  readonly bodyBytes: number;
  readonly requestsPerSecond: number;
  readonly ceilingPerSecond: number;
  /** Median of the ratios of neighbouring runs. */
  readonly ratio: number;
}

/** How long and how hard. */
export interface ApiBenchOptions {
  /** Seconds of each run. */
  readonly seconds: number;
  /** Runs of each, alternating, after one to warm up. */
  readonly runs: number;
  readonly connections: number;
}

const PAGE = 100;
const PAGES = 10;

/** Measures both routes over `storage`, which must hold at least 1 000 verifier results, those of like size. */
export async function benchApi(storage: Storage, options: ApiBenchOptions): Promise<readonly ApiRatio[]> {
  const { items } = await storage.queryCCVData({ limit: PAGE * PAGES });
  if (items.length < PAGE * PAGES)
    throw new Error(`${items.length} verifier results are too few: store ${PAGE * PAGES}`);
  const ids = items.filter((_, index) => index % PAGE === 0).map((item) => `/v1/verifierresults/${item.messageId}`);
  const pages = Array.from({ length: PAGES }, (_, index) => `/v1/verifierresults?limit=${PAGE}&offset=${index * PAGE}`);
  const api = createApiServer({ storage, common: createCommon(), settings: { host: '127.0.0.1', port: 0 } });
  await api.listen();
  try {
    const url = `http://127.0.0.1:${api.address()?.port}`;
    return [
      await compare('/v1/verifierresults/{id}', url, ids, options),
      await compare('/v1/verifierresults?limit=100', url, pages, options),
    ];
  } finally {
    await api.close();
  }
}

/** Asks for the paths in turn. */
async function compare(
  route: string,
  url: string,
  paths: readonly string[],
  options: ApiBenchOptions,
): Promise<ApiRatio> {
  const body = Buffer.from(await (await fetch(`${url}${paths[0]}`)).arrayBuffer());
  const ceiling = fastify({ logger: false });
  ceiling.get('/', (_request, reply) => reply.header('content-type', 'application/json').send(body));
  const ceilingUrl = await ceiling.listen({ host: '127.0.0.1', port: 0 });
  const measured: { ours: number; theirs: number }[] = [];
  try {
    for (let run = 0; run <= options.runs; run += 1) {
      const ours = await requestsPerSecond(url, paths, options);
      const theirs = await requestsPerSecond(ceilingUrl, ['/'], options);
      if (run > 0) measured.push({ ours, theirs });
    }
  } finally {
    await ceiling.close();
  }
  measured.sort((a, b) => a.ours / a.theirs - b.ours / b.theirs);
  const { ours, theirs } = measured[measured.length >> 1]!;
  return {
    route,
    bodyBytes: body.length,
    requestsPerSecond: Math.round(ours),
    ceilingPerSecond: Math.round(theirs),
    ratio: ours / theirs,
  };
}

async function requestsPerSecond(url: string, paths: readonly string[], options: ApiBenchOptions): Promise<number> {
  const { connections, seconds: duration } = options;
  const requests = paths.map((path) => ({ method: 'GET' as const, path }));
  const result = await autocannon({ url, connections, duration, workers: 1, requests });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${result.non2xx} refused, ${result.errors} failed: ${url}`);
  return result.requests.average;
}
