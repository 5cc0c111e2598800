/**
 * The query API against a Fastify route that returns a constant buffer of the same size, in the same process: one answer by
 * id and a page of 100, from memory.
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

/** Measures both routes over `storage`, which must hold at least 100 results and one of `messageId`. */
export async function benchApi(
  storage: Storage,
  messageId: string,
  options: ApiBenchOptions,
): Promise<readonly ApiRatio[]> {
  const api = createApiServer({ storage, common: createCommon(), settings: { host: '127.0.0.1', port: 0 } });
  await api.listen();
  const ratios: ApiRatio[] = [];
  try {
    const apiUrl = `http://127.0.0.1:${api.address()?.port}`;
    for (const path of [`/v1/verifierresults/${messageId}`, '/v1/verifierresults?limit=100'])
      ratios.push(await compare(`${apiUrl}${path}`, path.split(/[?x]/)[0] ?? path, options));
  } finally {
    await api.close();
  }
  return ratios;
}

async function compare(url: string, route: string, options: ApiBenchOptions): Promise<ApiRatio> {
  const body = Buffer.from(await (await fetch(url)).arrayBuffer());
  const ceiling = fastify({ logger: false });
  ceiling.get('/', (_request, reply) => reply.header('content-type', 'application/json').send(body));
  const ceilingUrl = await ceiling.listen({ host: '127.0.0.1', port: 0 });
  const measured: { ours: number; theirs: number }[] = [];
  try {
    for (let run = 0; run <= options.runs; run += 1) {
      const ours = await requestsPerSecond(url, options);
      const theirs = await requestsPerSecond(ceilingUrl, options);
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

async function requestsPerSecond(url: string, { seconds, connections }: ApiBenchOptions): Promise<number> {
  const result = await autocannon({ url, connections, duration: seconds, workers: 1 });
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${result.non2xx} refused, ${result.errors} failed: ${url}`);
  return result.requests.average;
}
