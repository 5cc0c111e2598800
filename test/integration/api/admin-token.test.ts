import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdminServer } from '../../../src/api/admin/admin-server.js';
import type { HttpServer } from '../../../src/api/http/http-shell.js';
import { createCommon } from '../../../src/core/common.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { ask } from '../../support/api/api.js';

const TOKEN = 'b3f1c2d4e5f60718-293a.4b5c~6d7e+8f/90==';

describe('an admin port with a token', () => {
  const storage = createMemoryStorage({ name: 'hot' });
  let admin: HttpServer;
  beforeAll(async () => {
    admin = createAdminServer({
      storage,
      common: createCommon(),
      settings: { host: '127.0.0.1', port: 0, bearerToken: TOKEN },
      status: async () => ({ version: '1.2.3' }),
      explain: () => null,
      page: { version: '1.2.3', namespace: 'ccv', chains: [], namespaces: [] },
    });
    await admin.listen();
  });
  afterAll(async () => {
    await admin.close();
    await storage.close();
  });

  const get = (path: string, authorization?: string) =>
    ask(admin.address()?.port ?? 0, path, authorization === undefined ? {} : { authorization });
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

  it.each([
    '/',
    '/status',
    '/metrics',
    '/explain?kind=messages',
    '/quarantine',
    '/conflicts',
    '/v2/messages',
    '/v2/feed',
  ])('answers %s with a 401 that says how to send it', async (path) => {
    const answer = await get(path);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer .*, Basic /);
    expect(answer.text).toContain('send \\"Authorization: Bearer');
    expect(answer.text).not.toContain(TOKEN);
  });

  it.each([
    ['as a bearer', `Bearer ${TOKEN}`, 200],
    ['as a bearer in another case', `bearer  ${TOKEN} `, 200],
    ['as the password of a browser', basic(`operator:${TOKEN}`), 200],
    ['as the password of no name', basic(`:${TOKEN}`), 200],
    ['without its last character', `Bearer ${TOKEN.slice(0, -1)}`, 401],
    ['with one more', `Bearer ${TOKEN}=`, 401],
    ['as a name', basic(`${TOKEN}:`), 401],
    ['without a scheme', TOKEN, 401],
    ['in another scheme', `Digest ${TOKEN}`, 401],
    ['empty', 'Bearer ', 401],
    ['empty, of a browser', basic(''), 401],
    ['that is no base64', 'Basic %%%', 401],
  ])('takes the token or nothing else: %s', async (_what, authorization, status) => {
    expect((await get('/status', authorization)).status).toBe(status);
  });

  it('leaves probes open', async () => {
    for (const path of ['/health', '/ready']) expect((await get(path)).status).toBe(200);
    expect((await get('/nowhere')).status).toBe(404);
  });
});
