import { fastify } from 'fastify';
import { createApiServer } from '../../../src/api/server/api-server.js';
import { createCommon } from '../../../src/core/common.js';
import { createSimpleSink, type Sink } from '../../../src/sink/sink.js';
import { createRecordMaker } from '../../../test/support/records.js';
import { type Cost, type CpuCost, measureCost, medianCost } from '../cost.js';
import { type Lab, openLab, openPostgres, openTiers } from '../lab.js';
import { type Aim, compareInTurn, type Row } from '../measure.js';
import type { Bench, BenchOptions } from '../report.js';
import { type HttpLoad, startHttpLoad } from '../workload/http-load.js';

const MESSAGES = 10_000;
const PAGE = 100;
/** More than a client polls, fewer than there are. */
const IDS_ASKED = 1_000;
const CONNECTIONS = 20;

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
        const measured: (readonly [Row, Cost])[] = [];
        for (const subject of subjects) measured.push(await compare(lab, subject, load, options));
        return { rows: measured.map(([row]) => row), costs: measured.map(([, cost]) => cost) };
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
): Promise<readonly [Row, Cost]> {
  const { paths } = question;
  const what = `${question.what}, ${tier}`;
  const server = createApiServer({ storage: sink, common: createCommon(), settings: { host: '127.0.0.1', port: 0 } });
  await server.listen();
  const url = `http://127.0.0.1:${server.address()?.port}`;
  const body = await answerOf(`${url}${paths[0]}`);
  const constant = fastify({ logger: false });
  constant.get('/', (_request, reply) => reply.header('content-type', 'application/json').send(body));
  const constantUrl = await constant.listen({ host: '127.0.0.1', port: 0 });
  const costs: CpuCost[] = [];
  const measure = { connections: CONNECTIONS, seconds: quick ? 1 : 3 };
  try {
    const compared = await compareInTurn(quick ? 1 : 5, {
      async product() {
        let perSecond = 0;
        const cost = await measureCost(what, tier === 'memory' ? null : serverPid, async () => {
          const result = await load.run({ url, paths, ...measure });
          perSecond = result.perSecond;
          return result.answered;
        });
        costs.push(cost);
        return perSecond;
      },
      ceiling: async () => (await load.run({ url: constantUrl, paths: ['/'], ...measure })).perSecond,
    });
    const note =
      `${body.length} bytes, ${CONNECTIONS} connections, ${paths.length} different ` +
      `requests over ${MESSAGES} messages`;
    const aim: Aim | null = ratio === null ? null : { kind: 'atLeast', ratio };
    return [
      { what, unit: 'requests/s', ...compared, aim, note },
      // the first round warmed up
      { what, ...medianCost(costs.slice(1)), aim: costAim, note },
    ];
  } finally {
    await server.close();
    await constant.close();
  }
}

async function answerOf(url: string): Promise<Buffer> {
  const response = await fetch(url);
  if (response.status !== 200) throw new Error(`${response.status} from ${url}`);
  return Buffer.from(await response.arrayBuffer());
}
