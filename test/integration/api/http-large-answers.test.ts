import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { apiFixture } from '../../support/api/api-fixture.js';
import { createRecordMaker } from '../../support/records.js';

const maker = createRecordMaker(3);
const fixture = apiFixture(() => maker.results(3));
const { start } = fixture;

describe('an answer of many megabytes', () => {
  it('arrives whole', async () => {
    const big = maker.message();
    for (let ccv = 0; ccv < 12; ccv += 1)
      await fixture.storage.insertBatch({ verifierResults: [maker.result(big, ccv, { ccvDataBytes: 1024 * 1024 })] });
    const api = await start();
    const answer = await api.get(`/v1/verifierresults/${big.messageId}`);
    expect(answer.headers['transfer-encoding']).toBe('chunked');
    expect((answer.json() as { results: unknown[] }).results).toHaveLength(12);
    const head = await api.get(`/v1/verifierresults/${big.messageId}`, {}, 'HEAD');
    expect([head.status, head.text]).toEqual([200, '']);
  });

  it('breaks off when it cannot be finished, rather than end early', async () => {
    const big = maker.message();
    for (let ccv = 0; ccv < 6; ccv += 1)
      await fixture.storage.insertBatch({ verifierResults: [maker.result(big, ccv, { ccvDataBytes: 1024 * 1024 })] });
    const [first, ...others] = await fixture.storage.getCCVData(big.messageId);
    const corrupt = { ...first!, position: 999_999n, encodedMessage: Uint8Array.of(1, 2, 3) };
    const api = await start({}, { getCCVData: async () => [first!, ...others, corrupt] });
    await expect(api.get(`/v1/verifierresults/${big.messageId}`)).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('is an error as long as nothing has been sent', async () => {
    const corrupt = {
      ...(await fixture.storage.queryCCVData({ limit: 1 })).items[0]!,
      position: 999_999n,
      encodedMessage: Uint8Array.of(1),
    };
    const api = await start({}, { getCCVData: async () => [corrupt] });
    expect((await api.get('/v1/verifierresults/00')).status).toBe(500);
  });
});

it('never mixes the bodies of its clients, also when some of them go away', async () => {
  for (let batch = 0; batch < 4; batch += 1)
    await fixture.storage.insertBatch({ verifierResults: maker.results(20, { ccvDataBytes: 100_000 }) });
  const api = await start();
  const pages = Array.from({ length: 4 }, (_, index) => `/v1/verifierresults?limit=20&offset=${index * 20}`);
  const expected: string[] = [];
  for (const page of pages) expected.push((await api.get(page)).text);
  expect(new Set(expected).size).toBe(pages.length);
  expect(expected[0]?.length).toBeGreaterThan(3_000_000);
  for (let round = 0; round < 4; round += 1) {
    const leavers = pages.map(async (page) => {
      const socket = connect(api.port, '127.0.0.1');
      socket.write(`GET ${page} HTTP/1.1\r\nhost: x\r\n\r\n`);
      await once(socket, 'readable');
      socket.destroy();
    });
    const texts = await Promise.all([...pages, ...pages].map(async (page) => (await api.get(page)).text));
    texts.forEach((text, index) => {
      expect(text === expected[index % pages.length], `round ${round}, page ${index}`).toBe(true);
    });
    await Promise.all(leavers);
  }
});
