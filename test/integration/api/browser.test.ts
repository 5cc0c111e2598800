import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CoverageGapError } from '../../../src/model/storage-errors.js';
import type { RunningApi } from '../../support/api/api.js';
import { apiFixture } from '../../support/api/api-fixture.js';
import { type Browser, type Page, startBrowser } from '../../support/api/browser.js';
import { createRecordMaker } from '../../support/records.js';

const maker = createRecordMaker(19);
const fixture = apiFixture(() => maker.results(40));
const LIST = '/v1/verifierresults';
const REFUSED = 'TypeError: Failed to fetch';

let browser: Browser;
let pages: Server;
let [app, second, stranger]: Page[] = [];
let listed: readonly string[];

beforeAll(async () => {
  pages = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>'));
  await new Promise<void>((listening) => pages.listen(0, '127.0.0.1', listening));
  const originOf = (name: string) => `http://${name}.example.org:${(pages.address() as AddressInfo).port}`;
  listed = [originOf('app'), originOf('second')];
  browser = await startBrowser();
  [app, second, stranger] = await Promise.all(
    [...listed, originOf('stranger')].map((origin) => browser.open(`${origin}/`)),
  );
});
afterAll(async () => {
  await browser.close();
  pages.closeAllConnections();
  await new Promise((closed) => pages.close(closed));
});

/** An answer as its page sees it; `status` is the page's error where the browser hands it none. */
interface Seen {
  readonly status: number | string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

async function read(page: Page | undefined, url: string, options: RequestInit = {}): Promise<Seen> {
  const work = async (target: string, given: RequestInit): Promise<Seen> => {
    try {
      const answer = await fetch(target, given);
      return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
    } catch (thrown) {
      return { status: String(thrown), headers: {}, text: '' };
    }
  };
  return await page!.run(work, url, options);
}

/** Requests that the API has answered, by method and status. */
async function answered({ common }: RunningApi, method: string, status: number): Promise<number> {
  const text = await common.metrics.getSingleMetricAsString('indexer_http_request_duration_seconds');
  const counts = text.matchAll(
    new RegExp(`_count\\{method="${method}",path="[^"]*",status="${status}"\\} (\\d+)`, 'g'),
  );
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function pathById(): Promise<string> {
  return `${LIST}/${(await fixture.storage.queryCCVData({ limit: 1 })).items[0]!.messageId}`;
}

describe('a page in a browser', () => {
  // a browser speaks br to the own machine and over TLS only
  it.each([
    ['127.0.0.1', 'br'],
    ['api.example.org', 'gzip'],
  ])('reads lists and answers by id of another origin, at %s with %s', async (host, encoding) => {
    await fixture.storage.insertBatch({ messages: Array.from({ length: 40 }, () => maker.message()) });
    const api = await fixture.start({ corsOrigins: listed });
    const paths = [LIST, '/v1/messages', `${LIST}?limit=1&offset=7`, await pathById()];
    for (const path of paths) {
      const { status, headers, text } = await read(app, `http://${host}:${api.port}${path}`);
      const plain = await api.get(path);
      expect([status, text === plain.text], path).toEqual([200, true]);
      expect(headers['content-encoding'], path).toBe(plain.bytes.length > 16_384 ? encoding : undefined);
      expect(headers['x-request-id'], path).toMatch(/./);
    }
    expect(await answered(api, 'OPTIONS', 204)).toBe(0);
  });

  it('reads errors, and when to ask again', async () => {
    const gap = new CoverageGapError({ kind: 'time', startMs: 5, endMs: 9 }, 'warm');
    const faults = { queryMessages: () => Promise.reject(gap) };
    const api = await fixture.start({ corsOrigins: listed }, faults);
    for (const [path, status, retryAfter] of [
      [`${LIST}?limit=x`, 400, undefined],
      ['/v1/%zz', 400, undefined],
      [`${LIST}/00`, 404, undefined],
      ['/nowhere', 404, undefined],
      ['/v1/messages', 503, '1'],
    ] as const) {
      const seen = await read(app, api.url + path);
      expect([seen.status, seen.headers['retry-after']], path).toEqual([status, retryAfter]);
      expect(seen.text, path).toBe((await api.get(path)).text);
      expect((await read(stranger, api.url + path)).status, path).toBe(REFUSED);
    }
  });

  it('reads that it asks too often, and when to ask again', async () => {
    const api = await fixture.start({ corsOrigins: listed, rateLimit: { enabled: true, requestsPerSecond: 1 } });
    const refused: Seen[] = [];
    // as fast as a browser asks; a busy machine may take a second for one round
    while (refused.length === 0) {
      const seen = await Promise.all([1, 2, 3, 4, 5, 6].map((limit) => read(app, `${api.url}${LIST}?limit=${limit}`)));
      refused.push(...seen.filter(({ status }) => status !== 200));
    }
    for (const { status, headers, text } of refused) {
      expect([status, headers['retry-after']]).toEqual([429, '1']);
      expect(JSON.parse(text)).toEqual({
        success: false,
        status: 429,
        message: 'too many requests: at most 1 a second',
      });
    }
  });

  it('sends headers of its own, which its browser asks for once', async () => {
    const api = await fixture.start({ corsOrigins: listed });
    const url = api.url + LIST;
    const headers = { 'x-client': 'page', authorization: 'Bearer none' };
    for (let round = 0; round < 3; round += 1) expect((await read(app, url, { headers })).status).toBe(200);
    expect(await answered(api, 'OPTIONS', 204)).toBe(1);
    expect((await read(stranger, url, { headers })).status).toBe(REFUSED);
    // its browser asked, was told no, and sent nothing
    expect([await answered(api, 'OPTIONS', 204), await answered(api, 'GET', 200)]).toEqual([2, 3]);
  });

  it('sends the tag that it knows, and reads that nothing has changed', async () => {
    const api = await fixture.start({ corsOrigins: listed });
    const url = api.url + (await pathById());
    const tag = String((await read(app, url)).headers['etag']);
    const { status, text, headers } = await read(app, url, { headers: { 'if-none-match': tag } });
    expect([status, text, headers['etag']]).toEqual([304, '', tag]);
    expect(await answered(api, 'OPTIONS', 204)).toBe(1);
  });

  it('has an answer by id from its cache as long as that is the answer', async () => {
    const message = maker.message({ ccvs: [maker.hex(20), maker.hex(20)] });
    await fixture.storage.insertBatch({ verifierResults: [maker.result(message)] });
    const api = await fixture.start({ corsOrigins: listed });
    const path = `${LIST}/${message.messageId}`;
    const expected = (await api.get(path)).text;
    // both pages are of one site, so they share a cache
    for (const page of [app, app, second, app]) {
      const { status, text } = await read(page, api.url + path);
      expect([status, text]).toEqual([200, expected]);
    }
    expect((await read(stranger, api.url + path)).status).toBe(REFUSED);
    expect(await answered(api, 'GET', 304)).toBe(4);
    await fixture.storage.insertBatch({ verifierResults: [maker.result(message, 1)] });
    const changed = await read(app, api.url + path);
    expect(changed.text).not.toBe(expected);
    expect(changed.text).toBe((await api.get(path)).text);
    expect(await answered(api, 'GET', 304)).toBe(4);
  });

  it('reads nothing where its origin is not listed, everything where all are, never with cookies', async () => {
    const [closed, some, open] = [
      await fixture.start(),
      await fixture.start({ corsOrigins: listed }),
      await fixture.start({ corsOrigins: ['*'] }),
    ];
    const statuses = async (options?: RequestInit) =>
      await Promise.all(
        [closed, some, open].map(async ({ url }) => {
          const seen = [app, second, stranger].map((page) => read(page, url + LIST, options));
          return (await Promise.all(seen)).map(({ status }) => status);
        }),
      );
    expect(await statuses()).toEqual([
      [REFUSED, REFUSED, REFUSED],
      [200, 200, REFUSED],
      [200, 200, 200],
    ]);
    // it is the browser that refuses: each of them was answered
    for (const api of [closed, some, open]) expect(await answered(api, 'GET', 200)).toBe(3);
    const none = [REFUSED, REFUSED, REFUSED];
    expect(await statuses({ credentials: 'include' })).toEqual([none, none, none]);
    expect(await statuses({ headers: { 'x-client': 'page' } })).toEqual([none, [200, 200, REFUSED], [200, 200, 200]]);
  });
});
