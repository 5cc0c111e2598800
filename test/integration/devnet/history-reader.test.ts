import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createHistoryReader, type HistoryReader } from '../../../scripts/devnet/lane/history-reader.js';
import { createCommon } from '../../../src/core/common.js';
import { eventually } from '../../support/eventually.js';

const ID = `0x${'ab'.repeat(32)}` as const;
const SPAN_MS = 5_000;

let server: Server;
let reader: HistoryReader;
/** What the API says, by kind of question. */
let answers: { byId: [number, string]; list: [number, string] };
let asked: { byId: number; lists: string[] };

beforeEach(async () => {
  answers = { byId: [200, '{"results":[1]}'], list: [200, '{"verifierResults":{}}'] };
  asked = { byId: 0, lists: [] };
  server = createServer((request, response) => {
    const isList = request.url?.includes('?') === true;
    if (isList) asked.lists.push(request.url ?? '');
    else asked.byId += 1;
    const [status, text] = isList ? answers.list : answers.byId;
    response.writeHead(status).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  reader = createHistoryReader({ common: createCommon(), apiUrl: `http://127.0.0.1:${port}`, pollIntervalMs: 2 });
});
afterEach(async () => {
  await reader.close();
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

const agoMs = (ms: number) => Date.now() - ms;
const more = async (what: 'byId' | 'lists') => {
  const count = () => (what === 'byId' ? asked.byId : asked.lists.length);
  const before = count();
  await eventually(`more questions (${what})`, () => count() >= before + 5);
};

it('asks again and again for what it knows, and finds nothing wrong with the same answers', async () => {
  reader.know(ID, agoMs(60_000));
  reader.know(`0x${'cd'.repeat(32)}`, agoMs(10_000));
  await more('byId');
  await more('lists');
  expect(reader.changedCount()).toBe(0);
});

it('asks for a span of time only when something later was seen, so that nothing more can appear in it', async () => {
  const oldMs = Math.floor(agoMs(60_000) / SPAN_MS) * SPAN_MS;
  reader.know(ID, oldMs + 1_000);
  await more('byId');
  expect(asked.lists).toEqual([]);
  reader.know(`0x${'cd'.repeat(32)}`, oldMs + SPAN_MS);
  await more('lists');
  expect(asked.lists[0]).toContain(`start=${oldMs}&end=${oldMs + SPAN_MS - 1}&`);
});

it('counts an answer that is not what was said before', async () => {
  reader.know(ID, agoMs(60_000));
  await more('byId');
  answers.byId = [200, '{"results":[]}'];
  await eventually('the change to be seen', () => reader.changedCount() > 0);
});

it('counts that a message is no longer known, at the first question as well', async () => {
  answers.byId = [404, '{}'];
  reader.know(ID, agoMs(60_000));
  await eventually('the loss to be seen', () => reader.changedCount() > 0);
});

it('takes it that an indexer cannot answer just then', async () => {
  reader.know(ID, agoMs(60_000));
  await more('byId');
  answers.byId = [503, '{}'];
  await more('byId');
  answers.byId = [200, '{"results":[1]}'];
  await more('byId');
  expect(reader.changedCount()).toBe(0);
});
