import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { afterEach, expect, it } from 'vitest';
import type { MessageTraces } from '../../../src/app/tracing/message-traces.js';
import { tracesUrl } from '../../../src/app/tracing/traces-url.js';
import type { Hex } from '../../../src/core/hex.js';
import { secrets } from '../../../src/core/masker.js';
import { createRecordMaker } from '../../support/records.js';
import { traces } from '../../support/tracing/told-spans.js';

const make = createRecordMaker(5);
const REQUEST = { id: 'r', method: 'GET', route: '/v1/verifierresults/:messageID', path: '/v1/x' };
afterEach(() => secrets.clear());

function store(tracing: MessageTraces, messageId: Hex): void {
  tracing.store()([{ kind: 'message', messageId }], { 'ccip.ingestion_ms': 5 });
}

it('a sampled message is told by every process, another one by none', () => {
  const messageIds = Array.from({ length: 400 }, () => make.hex(32));
  const [one, other] = [traces(0.25), traces(0.25)];
  for (const { tracing } of [one, other]) for (const messageId of messageIds) store(tracing, messageId);
  const told = ({ spans }: typeof one) => new Set(spans().map(({ traceId }) => traceId));
  expect(told(one)).toEqual(told(other));
  expect(told(one).size).toBeGreaterThan(60);
  expect(told(one).size).toBeLessThan(140);
});

it('the root begins with the reading that found the message', () => {
  const { tracing, spans } = traces();
  const messageId = make.hex(32);
  const found = tracing.find('chain.read', { 'ccip.chain': 'here' });
  found([messageId, make.hex(32)]);
  store(tracing, messageId);
  const [root, read, stored] = spans();
  expect([root, read, stored].map((each) => each?.name)).toEqual(['message', 'chain.read', 'message.store']);
  expect(root).toMatchObject({ traceId: messageId.slice(2, 34), spanId: messageId.slice(34, 50), parent: undefined });
  for (const each of [read, stored]) expect(each?.parent?.spanId).toBe(root?.spanId);
  expect(root?.span.startTime).toEqual(read?.span.startTime);
  expect(root?.span.endTime).toEqual(stored?.span.endTime);
});

it('a request is in the trace of its first sampled message, with links to the others', () => {
  const { tracing, spans } = traces(0.5);
  const ids = Array.from({ length: 40 }, () => make.hex(32));
  const sampled = ids.filter((messageId) => {
    store(tracing, messageId);
    return spans().at(-1)?.traceId === messageId.slice(2, 34);
  });
  const [first = '0x', ...others] = sampled;
  const attempt = tracing.attempt(first);
  const asked = tracing.ask(ids, { 'ccip.verifier': 'committee' });
  asked.end({}, new Error('it refuses'));
  attempt.end();
  const [request, parent] = spans().slice(-2);
  expect(asked.traceparent).toBe(`00-${first.slice(2, 34)}-${request?.spanId}-01`);
  expect(request?.parent?.spanId).toBe(parent?.spanId);
  expect(request?.span).toMatchObject({
    kind: SpanKind.CLIENT,
    attributes: { 'ccip.messages': 40, 'ccip.verifier': 'committee', 'error.type': 'Error' },
    status: { code: SpanStatusCode.ERROR, message: 'it refuses' },
  });
  expect(request?.span.links.map(({ context }) => context.traceId)).toEqual(others.map((id) => id.slice(2, 34)));
  const quiet = tracing.ask(ids.filter((id) => !sampled.includes(id)).slice(0, 1), {});
  expect(quiet.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
});

it('a message that is never verified ends to be told', () => {
  const { tracing, spans } = traces();
  const messageId = make.hex(32);
  for (let at = 0; at < 700; at++) tracing.attempt(messageId).end({ 'ccip.outcome': 'pending' });
  expect(spans()).toHaveLength(500);
  expect(tracing.ask([messageId], {}).traceparent).toMatch(/-00$/);
  tracing.store()([{ kind: 'result', messageId }], {});
  expect(spans().at(-1)?.name).toBe('result.store');
});

it('attempts of messages that are not sampled are not remembered in the place of others', () => {
  const { tracing, spans } = traces(0.5);
  const isSampled = (messageId: Hex) => {
    store(tracing, messageId);
    return spans().at(-1)?.traceId === messageId.slice(2, 34);
  };
  const ids = Array.from({ length: 40 }, () => make.hex(32));
  const [messageId = '0x'] = ids.filter(isSampled);
  const told = spans().length;
  for (let at = 0; at < 500; at++) tracing.attempt(messageId).end();
  for (const other of Array.from({ length: 21_000 }, () => make.hex(32)))
    if (tracing.ask([other], {}).traceparent.endsWith('-00')) tracing.attempt(other).end();
  tracing.attempt(messageId).end();
  expect(spans()).toHaveLength(told + 500);
});

it('an answer is told once for each number of results that grows, with the request that it went to', async () => {
  const { tracing, spans } = traces();
  const [messageId, client] = [make.hex(32), make.hex(24).slice(2)];
  const traceparent = `00-${client.slice(0, 32)}-${client.slice(32)}-01`;
  const ask = (results: number) => {
    const end = tracing.request({ ...REQUEST, headers: { traceparent } });
    tracing.serve(REQUEST.id)(Array.from({ length: results }, () => ({ messageId })));
    const fields = tracing.logFields({ requestId: REQUEST.id });
    end(200);
    return fields;
  };
  const fields = ask(1);
  for (const results of [1, 2, 2, 1, 2]) ask(results);
  const served = spans().filter(({ name }) => name === 'message.serve');
  expect(served.map(({ span }) => span.attributes['ccip.results'])).toEqual([1, 2]);
  const [request] = spans().filter(({ span }) => span.kind === SpanKind.SERVER);
  expect(request).toMatchObject({ traceId: client.slice(0, 32), parent: { spanId: client.slice(32) } });
  expect(served[0]?.span.links[0]?.context.spanId).toBe(request?.spanId);
  expect(request?.span.links[0]?.context.traceId).toBe(messageId.slice(2, 34));
  expect(fields).toEqual({ trace_id: request?.traceId, span_id: request?.spanId });
  expect(tracing.logFields({ messageId })).toEqual({ trace_id: messageId.slice(2, 34) });
  for (const line of [{ block: 5 }, { requestId: REQUEST.id }]) expect(tracing.logFields(line)).toEqual({});
});

it.each(['', 'nonsense', '00-00000000000000000000000000000000-051581bf3cb55c13-01', `00-${'a'.repeat(5_000)}-1-01`])(
  'a client that names no trace gets one of its own: %.40s',
  (traceparent) => {
    const { tracing, spans } = traces();
    tracing.request({ ...REQUEST, route: '/health', headers: { traceparent } })(null);
    expect(spans()).toMatchObject([
      { name: 'GET /health', parent: undefined, traceId: expect.stringMatching(/^\w{32}$/) },
    ]);
    expect(spans()[0]?.span.status.code).toBe(SpanStatusCode.ERROR);
  },
);

it('no secret is in a span', () => {
  secrets.add([{ text: 'hunter-of-secrets', where: 'anywhere' }]);
  const { tracing, spans } = traces();
  const span = tracing.ask([make.hex(32)], { 'ccip.verifier': 'at hunter-of-secrets' });
  span.end({ 'ccip.more': 'hunter-of-secrets' }, new Error('GET http://x/?key=hunter-of-secrets'));
  const shown = JSON.stringify(spans().map(({ span: { attributes, status } }) => ({ attributes, status })));
  expect(shown).toContain('***');
  expect(shown).not.toContain('hunter');
});

it.each([
  ['http://collector:4318', 'http://collector:4318/v1/traces'],
  ['https://traces.example.org/otlp/', 'https://traces.example.org/otlp/v1/traces'],
  ['http://collector:4318/v1/traces', 'http://collector:4318/v1/traces'],
])('the receiver %s is asked at %s', (endpoint, url) => {
  expect(tracesUrl(endpoint)).toBe(url);
});

it('a client decides that its request is not traced, and not that it is', () => {
  const { tracing, spans } = traces(0.25);
  const ask = (traceparent: string) => tracing.request({ ...REQUEST, headers: { traceparent } })(200);
  for (let at = 0; at < 400; at++) ask(`00-${'0'.repeat(30)}11-051581bf3cb55c13-00`);
  expect(spans()).toEqual([]);
  for (let at = 0; at < 400; at++) ask(`00-${'0'.repeat(30)}11-051581bf3cb55c13-01`);
  expect(spans().length).toBeGreaterThan(60);
  expect(spans().length).toBeLessThan(140);
});
