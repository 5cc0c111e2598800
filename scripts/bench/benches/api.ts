import { fastify } from 'fastify';
import { createApiServer } from '../../../src/api/server/api-server.js';
import { createCommon } from '../../../src/core/common.js';
import { createSimpleSink, type Sink } from '../../../src/sink/sink.js';
import { createRecordMaker } from '../../../test/support/records.js';
import { type Cost, type CpuCost, measureCost, medianCost } from '../cost.js';
import { type Lab, openLab, openPostgres, openTiers } from '../lab.js';
import { type Aim, compareInTurn, type Row } from '../measure.js';
import type { Bench, BenchOptions } from '../report.js';
import { type HttpLoad, type LoadRequest, startHttpLoad } from '../workload/http-load.js';

const MESSAGES = 10_000;
const PAGE = 100;
/** More than a client polls, fewer than there are. */
const IDS_ASKED = 1_000;
const CONNECTIONS = 20;
/** A page has to be asked for a few thousand times until its code is as fast as it gets. */
const WARM_UP_SECONDS = 10;

/** A question to the API. */
interface Question {
  readonly what: string;
  readonly paths: readonly string[];
}

/** A question to a Sink, and the aims of its answers: a ratio to the constant route, and CPU time. */
interface Subject {
  readonly sink: Sink;
  readonly tier: string;
  readonly question: Question;
  readonly ratio: number | null;
  readonly cost: CpuCost | null;
}

/** The line of a question, and the costs of its answer and of a constant answer of the same bytes. */
interface Measured {
  readonly row: Row;
  readonly costs: readonly [product: Cost, constant: Cost];
}

/**
 * The query API over real HTTP, answered from memory and from Postgres alone, against a Fastify route in the same
 * process that returns a constant buffer of the same size. Records are of usual size: a message of about 250 bytes, a
 * proof of two signatures.
 */
export const api: Bench = async (options) => {
  const lab = await openLab();
  const load = startHttpLoad();
  try {
    return await lab.inNamespace(async (namespace) => {
      const tiers = await openTiers(lab, namespace);
      const warm = createSimpleSink([openPostgres(lab, namespace)]);
      await warm.started();
      try {
        const [byId, page] = await fill(tiers);
        const subjects: readonly Subject[] = [
          { sink: tiers, tier: 'memory', question: byId, ratio: 0.65, cost: null },
          { sink: warm, tier: 'Postgres', question: byId, ratio: 0.3, cost: { nodeUs: 60, postgresUs: 20 } },
          { sink: tiers, tier: 'memory', question: page, ratio: 0.5, cost: null },
          { sink: warm, tier: 'Postgres', question: page, ratio: null, cost: { nodeUs: 1_000, postgresUs: 500 } },
        ];
        const measured: Measured[] = [];
        for (const subject of subjects) measured.push(await compare(lab, subject, load, options));
        return { rows: measured.map(({ row }) => row), costs: measured.flatMap(({ costs }) => costs) };
      } finally {
        await tiers.close();
        await warm.close();
      }
    });
  } finally {
    load.close();
    await lab.close();
  }
};

/** Stores messages with one verifier result each. @returns questions: single ids, and pages from all over the list. */
async function fill(sink: Sink): Promise<readonly [byId: Question, page: Question]> {
  const maker = createRecordMaker(2);
  const messages = Array.from({ length: MESSAGES }, () => maker.message());
  for (let at = 0; at < MESSAGES; at += PAGE) {
    const part = messages.slice(at, at + PAGE);
    await sink.insertBatch({ messages: part, verifierResults: part.map((message) => maker.result(message)) });
  }
  const asked = messages.filter((_, index) => index % (MESSAGES / IDS_ASKED) === 0);
  const offsets = Array.from({ length: 10 }, (_, index) => (index * MESSAGES) / 10);
  return [
    { what: 'GET /v1/verifierresults/{id}', paths: asked.map(({ messageId }) => `/v1/verifierresults/${messageId}`) },
    {
      what: 'GET /v1/verifierresults, 100',
      paths: offsets.map((offset) => `/v1/verifierresults?limit=${PAGE}&offset=${offset}`),
    },
  ];
}

async function compare(
  { serverPid }: Lab,
  { sink, tier, question, ratio, cost: costAim }: Subject,
  load: HttpLoad,
  { quick }: BenchOptions,
): Promise<Measured> {
  const { paths } = question;
  const what = `${question.what}, ${tier}`;
  const server = createApiServer({ storage: sink, common: createCommon(), settings: { host: '127.0.0.1', port: 0 } });
  await server.listen();
  const url = `http://127.0.0.1:${server.address()?.port}`;
  const body = await answerOf(`${url}${paths[0]}`);
  const constant = fastify({ logger: false });
  constant.get('/', (_request, reply) => reply.header('content-type', 'application/json').send(body));
  const constantUrl = await constant.listen({ host: '127.0.0.1', port: 0 });
  const product = createLoadedCost(what, tier === 'memory' ? null : serverPid, load);
  const ceiling = createLoadedCost(`  a constant answer of ${body.length} bytes`, null, load);
  const measure = { connections: CONNECTIONS, seconds: quick ? 1 : 3 };
  try {
    await load.run({ url, paths, connections: CONNECTIONS, seconds: quick ? 2 : WARM_UP_SECONDS });
    const compared = await compareInTurn(quick ? 1 : 5, {
      product: () => product.run({ url, paths, ...measure }),
      ceiling: () => ceiling.run({ url: constantUrl, paths: ['/'], ...measure }),
    });
    const note =
      `${body.length} bytes, ${CONNECTIONS} connections, ${paths.length} different ` +
      `requests over ${MESSAGES} messages`;
    const aim: Aim | null = ratio === null ? null : { kind: 'atLeast', ratio };
    return {
      row: { what, unit: 'requests/s', ...compared, aim, note },
      costs: [
        { ...product.cost(), aim: costAim, note },
        { ...ceiling.cost(), aim: null, note },
      ],
    };
  } finally {
    await server.close();
    await constant.close();
  }
}

/** Runs loads, and keeps the cost of an answer in each. The first one warms up. */
function createLoadedCost(what: string, serverPid: number | null, load: HttpLoad) {
  const costs: CpuCost[] = [];
  return {
    /** @returns answers a second. */
    async run(request: LoadRequest): Promise<number> {
      let perSecond = 0;
      const cost = await measureCost(what, serverPid, async () => {
        const result = await load.run(request);
        perSecond = result.perSecond;
        return result.answered;
      });
      costs.push(cost);
      return perSecond;
    },
    cost: () => ({ what, ...medianCost(costs.slice(1)) }),
  };
}

async function answerOf(url: string): Promise<Buffer> {
  const response = await fetch(url);
  if (response.status !== 200) throw new Error(`${response.status} from ${url}`);
  return Buffer.from(await response.arrayBuffer());
}
