import { afterAll, beforeAll, expect, it } from 'vitest';
import { endAllCli } from '../../support/e2e/cli.js';
import { type EmittedChain, startEmittedChain } from '../../support/e2e/emitted-chain.js';
import { listResults } from '../../support/e2e/http.js';
import { e2eDirectory, hotAndWarm, startServiceProcess, writeConfig } from '../../support/e2e/service.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { type ReceivedSpan, startTraceReceiver, type TraceReceiver } from '../../support/tracing/trace-receiver.js';

const CLIENT = { traceId: '5b8aa5a2d2c872e8321cf37308d69df2', spanId: '051581bf3cb55c13' };
const SERVER_KIND = 2;
const CLIENT_KIND = 3;

const directory = e2eDirectory();
let database: TestDatabase;
let chain: EmittedChain;
let receiver: TraceReceiver;
beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  chain = await startEmittedChain(71);
  receiver = await startTraceReceiver();
});
afterAll(async () => {
  await endAllCli();
  await receiver.close();
  await chain.close();
  await database.drop();
  directory.remove();
});

it('a message has one trace, from the poll of a worker to the answer of an API process', async () => {
  const file = (name: string, Level: string) =>
    writeConfig(directory.path, name, {
      ...hotAndWarm({
        ...{ namespace: 'traced', uri: database.uri },
        ...{ chains: [chain.chainSection()], verifiers: [chain.verifierSection()] },
      }),
      Log: { Level, Format: 'json' },
      Tracing: { Endpoint: receiver.url, SampleRatio: 1, Headers: { authorization: 'Bearer of-the-receiver' } },
    });
  const worker = await startServiceProcess('worker', file('worker.toml', 'info'), '--migrate');
  const api = await startServiceProcess('api', file('api.toml', 'debug'));
  const [messageId = '0x'] = await chain.block(1);
  await eventually('the result is listed', async () => (await listResults(api.apiUrl)).size === 1);
  const traceparent = `00-${CLIENT.traceId}-${CLIENT.spanId}-01`;
  const answer = await fetch(`${api.apiUrl}/v1/verifierresults/${messageId}`, { headers: { traceparent } });
  expect(answer.status).toBe(200);
  const metrics = await (await fetch(`${worker.adminUrl}/metrics`)).text();
  expect(metrics).toContain('indexer_trace_spans_total{outcome="failed"} 0');
  const ends = await Promise.all([worker.cli.stop(), api.cli.stop()]);
  expect(ends).toEqual([0, 0].map((code) => ({ code, signal: null })));

  expect(new Set(receiver.headers.map(({ authorization }) => authorization))).toEqual(
    new Set(['Bearer of-the-receiver']),
  );
  const trace = receiver.spans.filter(({ traceId }) => traceId === messageId.slice(2, 34));
  const named = (name: string) => trace.filter((span) => span.name === name);
  const one = (name: string): ReceivedSpan => {
    const [span, ...others] = named(name);
    if (!span || others.length > 0) throw new Error(`${name}: ${others.length + (span ? 1 : 0)} spans`);
    return span;
  };
  const root = one('message');
  expect(root).toMatchObject({ spanId: messageId.slice(34, 50), facts: { 'ccip.message_id': messageId } });
  expect(root.parentSpanId ?? '').toBe('');
  expect(one('chain.read')).toMatchObject({ parentSpanId: root.spanId, facts: { 'ccip.chain': 'emitted' } });
  expect(one('message.store')).toMatchObject({ parentSpanId: root.spanId, resource: { 'ccip.role': 'worker' } });
  expect(one('result.store')).toMatchObject({ facts: { 'ccip.verifier': 'committee' } });

  // the attempt that brought the result, with the request in it
  const attempt = named('verification.attempt').find(({ facts }) => facts['ccip.outcome'] === 'success');
  expect(attempt?.parentSpanId).toBe(root.spanId);
  const within = trace.filter(({ parentSpanId }) => parentSpanId === attempt?.spanId);
  expect(within).toContainEqual(expect.objectContaining({ name: 'verifier.read' }));
  const request = within.find(({ name }) => name === 'verifier.request');
  expect(request).toMatchObject({ kind: CLIENT_KIND, facts: { 'ccip.messages': 1 } });
  expect(chain.traceparents()).toContain(`00-${request?.traceId}-${request?.spanId}-01`);

  // the first answer with the result was the list; the lookup of the client brings nothing new
  expect(one('message.serve')).toMatchObject({ resource: { 'ccip.role': 'api' }, facts: { 'ccip.results': 1 } });
  const [served] = one('message.serve').links;
  const list = receiver.spans.find(({ spanId }) => spanId === served?.spanId);
  expect(list).toMatchObject({ name: 'GET /v1/verifierresults', kind: SERVER_KIND });
  expect(list?.links).toContainEqual(expect.objectContaining({ traceId: root.traceId, spanId: root.spanId }));
  const lookup = receiver.spans.find(({ parentSpanId }) => parentSpanId === CLIENT.spanId);
  expect(lookup).toMatchObject({ traceId: CLIENT.traceId, facts: { 'http.response.status_code': 200 } });
  expect(api.cli.stderr()).toMatch(new RegExp(`"trace_id":"${CLIENT.traceId}".+"msg":"request answered"`));

  const ids = new Set(trace.map(({ spanId }) => spanId));
  for (const { name, parentSpanId = '', startTimeUnixNano, endTimeUnixNano } of trace) {
    expect(name === 'message' || ids.has(parentSpanId), `${name} has its parent`).toBe(true);
    expect(BigInt(endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(startTimeUnixNano));
  }
});

it('a receiver that is away holds up nothing, and is complained about', async () => {
  const file = writeConfig(directory.path, 'away.toml', {
    ...hotAndWarm({
      ...{ namespace: 'untold', uri: database.uri },
      ...{ chains: [chain.chainSection()], verifiers: [chain.verifierSection()] },
    }),
    Tracing: { Endpoint: 'http://127.0.0.1:9', SampleRatio: 1 },
  });
  const { cli, apiUrl } = await startServiceProcess('start', file, '--migrate');
  await chain.block(2);
  await eventually('results are listed', async () => (await listResults(apiUrl)).size === 3);
  expect(await cli.stop()).toEqual({ code: 0, signal: null });
  expect(cli.stderr()).toMatch(/"reason":".*ECONNREFUSED.*"msg":"traces could not be sent"/);
});
