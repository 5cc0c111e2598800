import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdminServer } from '../../../src/api/admin/admin-server.js';
import type { HttpServer } from '../../../src/api/http/http-shell.js';
import { createApiServer } from '../../../src/api/server/api-server.js';
import { createCommon } from '../../../src/core/common.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { type Answer, ask } from '../../support/api/api.js';

const SETTINGS = { host: '127.0.0.1', port: 0 };
const PAGE = {
  version: '1.2.3',
  namespace: 'main',
  namespaces: ['main', 'other'],
  chains: [{ selector: '18446744073709551615', name: '<b>far</b>', explorerUrl: 'https://explorer.example.org' }],
};

let storage: Storage;
const servers = new Map<string, HttpServer>();

beforeAll(async () => {
  storage = createMemoryStorage({ name: 'hot' });
  const shared = { storage, common: createCommon(), settings: SETTINGS };
  const admin = { ...shared, status: async () => ({ version: '1.2.3' }), explain: () => ({}) };
  servers.set('API', createApiServer({ ...shared, namespaces: new Map([['other', storage]]), page: PAGE }));
  servers.set('API without', createApiServer({ ...shared, page: null }));
  servers.set('admin port', createAdminServer({ ...admin, page: PAGE }));
  servers.set('admin port without', createAdminServer(admin));
  for (const server of servers.values()) await server.listen();
});
afterAll(async () => {
  for (const server of servers.values()) await server.close();
  await storage.close();
});

const get = (server: string, path: string, headers = {}, method = 'GET'): Promise<Answer> =>
  ask(servers.get(server)?.address()?.port ?? 0, path, headers, method);

/** The files that the document names, relative to it. */
async function filesOf(server: string): Promise<string[]> {
  const { text } = await get(server, '/');
  return [...text.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, path = '']) => path);
}

describe('the page', () => {
  it.each(['API', 'admin port'])('is a document with files of its own, on the %s', async (server) => {
    const document = await get(server, '/');
    expect([document.status, document.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    const files = await filesOf(server);
    expect(files.map((path) => path.replace(/^.*\./, '')).sort()).toEqual(['css', 'js', 'svg']);
    for (const path of files) {
      const file = await get(server, `/${path}`);
      expect([file.status, file.headers['cache-control']], path).toEqual([200, expect.stringContaining('immutable')]);
      const packed = await get(server, `/${path}`, { 'accept-encoding': 'br' });
      const zipped = await get(server, `/${path}`, { 'accept-encoding': 'gzip' });
      expect(brotliDecompressSync(packed.bytes).equals(file.bytes), path).toBe(true);
      expect(gunzipSync(zipped.bytes).equals(file.bytes), path).toBe(true);
    }
  });

  it('is small: its script and its styles together less than 40 kB as they are sent', async () => {
    const sent = await Promise.all(
      (await filesOf('API')).map((path) => get('API', `/${path}`, { 'accept-encoding': 'br' })),
    );
    expect(sent.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThan(40_000);
  });

  it.each(['API', 'admin port'])('lets nothing run and nothing be asked but this server, on the %s', async (server) => {
    for (const path of ['/', '/page.json', `/${(await filesOf(server))[0]}`]) {
      const { headers } = await get(server, path);
      const policy = String(headers['content-security-policy']);
      expect(policy, path).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; /);
      expect(policy, path).not.toMatch(/unsafe|https?:|\*/);
      for (const part of ["base-uri 'none'", "frame-ancestors 'none'", "form-action 'none'"])
        expect(policy, path).toContain(part);
      expect(headers['x-content-type-options'], path).toBe('nosniff');
      expect(headers['referrer-policy'], path).toBe('no-referrer');
    }
    expect((await get(server, '/')).text).not.toMatch(/<script(?![^>]*src=)|<style|style=|\son\w+=/);
  });

  it('is asked for again by its tag alone', async () => {
    for (const path of ['/', '/page.json']) {
      const { headers } = await get('API', path);
      expect(headers['cache-control'], path).toBe('no-cache');
      const again = await get('API', path, { 'if-none-match': String(headers['etag']) });
      expect([again.status, again.bytes.length], path).toEqual([304, 0]);
    }
  });

  it('is there for every namespace, and knows whose it is', async () => {
    expect((await get('API', '/page.json')).json()).toEqual({ ...PAGE, isAdmin: false });
    expect((await get('API', '/ns/other/page.json')).json()).toMatchObject({ namespace: 'other' });
    expect((await get('admin port', '/page.json')).json()).toEqual({ ...PAGE, isAdmin: true });
    expect((await get('API', '/ns/other/')).text).toBe((await get('API', '/')).text);
    const withoutSlash = await get('API', '/ns/other');
    expect([withoutSlash.status, withoutSlash.headers['location']]).toEqual([308, 'other/']);
  });

  it('is not there where it is turned off, and its server is as before', async () => {
    for (const path of ['/', '/page.json', '/assets/index.js'])
      expect((await get('API without', path)).status, path).toBe(404);
    expect((await get('admin port without', '/')).json()).toEqual({ version: '1.2.3' });
  });

  it('answers for its own files alone', async () => {
    for (const path of ['/assets/none.js', '/assets/..%2findex.html', '/assets/', '/index.html', '/ns/none/'])
      expect((await get('API', path)).status, path).toBe(404);
    expect((await get('API', '/', {}, 'POST')).status).toBe(405);
  });
});

describe('the admin port', () => {
  it('answers as the second version does, which its page asks', async () => {
    expect((await get('admin port', '/v2/messages')).json()).toMatchObject({ messages: [], nextCursor: null });
    expect((await get('admin port', '/v2/feed')).json()).toMatchObject({ changes: [] });
    const unknown = await get('admin port', `/v2/messages/0x${'ab'.repeat(32)}`);
    expect([unknown.status, unknown.headers['content-type']]).toEqual([404, 'application/problem+json']);
  });
});
