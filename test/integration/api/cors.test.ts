import { describe, expect, it } from 'vitest';
import { apiFixture } from '../../support/api/api-fixture.js';
import { createRecordMaker } from '../../support/records.js';

const maker = createRecordMaker(3);
const { start } = apiFixture(() => maker.results(3));

const APP = 'https://app.example.org';
const OTHER = 'https://other.example.org';
const REQUESTS = ['/v1/messages', '/v1/messages?limit=x', '/nowhere', '/v1/verifierresults/00', '/v1/%zz', '/ready'];

/** The CORS headers and `vary` of an answer. */
function corsOf({ headers }: { readonly headers: Readonly<Record<string, unknown>> }): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith('access-control-') || name === 'vary'),
  );
}

const preflight = { origin: APP, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-a' };

describe('pages of other origins', () => {
  it('are told nothing unless the configuration says so', async () => {
    const api = await start();
    for (const path of REQUESTS) expect(corsOf(await api.get(path, { origin: APP }))).toEqual({});
    const answer = await api.get('/v1/messages', preflight, 'OPTIONS');
    expect([answer.status, corsOf(answer)]).toEqual([405, {}]);
  });

  it('of a listed origin read every answer, errors too, and others none; caches keep them apart', async () => {
    const api = await start({ corsOrigins: ['http://localhost:3000', APP] });
    for (const path of REQUESTS) {
      expect(corsOf(await api.get(path, { origin: APP })), path).toEqual({
        'access-control-allow-origin': APP,
        'access-control-expose-headers': '*',
        vary: 'Origin',
      });
      for (const headers of [{ origin: OTHER }, { origin: 'null' }, { origin: `${APP}:8443` }, {}])
        expect(corsOf(await api.get(path, headers)), path).toEqual({ vary: 'Origin' });
    }
  });

  it('of every origin read every answer, and caches need no copy for each', async () => {
    const api = await start({ corsOrigins: ['*'] });
    for (const path of REQUESTS)
      for (const headers of [{ origin: APP }, {}])
        expect(corsOf(await api.get(path, headers)), path).toEqual({
          'access-control-allow-origin': '*',
          'access-control-expose-headers': '*',
        });
  });

  it('ask before a request with headers of its own, whatever the path, and as often as they like', async () => {
    const api = await start({ corsOrigins: [APP], rateLimit: { enabled: true, requestsPerSecond: 1 } });
    for (const path of REQUESTS.filter((path) => !path.includes('%'))) {
      const admitted = await api.get(path, preflight, 'OPTIONS');
      expect([admitted.status, admitted.text, corsOf(admitted)]).toEqual([
        204,
        '',
        {
          'access-control-allow-origin': APP,
          'access-control-allow-methods': 'GET, HEAD',
          'access-control-allow-headers': '*, Authorization',
          'access-control-max-age': '7200',
          'access-control-expose-headers': '*',
          vary: 'Origin',
        },
      ]);
      const refused = await api.get(path, { ...preflight, origin: OTHER }, 'OPTIONS');
      expect([refused.status, corsOf(refused)]).toEqual([204, { vary: 'Origin' }]);
    }
    expect((await api.get('/v1/messages', {}, 'OPTIONS')).status).toBe(405);
    const metric = await api.common.metrics.getSingleMetricAsString('indexer_http_request_duration_seconds');
    expect(metric).toContain('_count{method="OPTIONS",path="unknown",status="204"} 10');
  });

  it('read that they ask too often, and when to ask again', async () => {
    const api = await start({ corsOrigins: [APP], rateLimit: { enabled: true, requestsPerSecond: 1 } });
    const answers = await Promise.all(Array.from({ length: 8 }, () => api.get('/v1/messages', { origin: APP })));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of answers) expect(answer.headers['access-control-allow-origin']).toBe(APP);
    expect(refused[0]?.headers['retry-after']).toBe('1');
  });
});

it.each([[APP, '*'], ['app.example.org'], [`${APP}/`], ['null'], ['']])(
  'refuses %j as an origin where the library is used',
  async (...corsOrigins) => {
    await expect(start({ corsOrigins })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  },
);
