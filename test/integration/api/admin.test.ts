import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdminServer } from '../../../src/api/admin/admin-server.js';
import type { HttpServer } from '../../../src/api/http/http-shell.js';
import { type Common, createCommon } from '../../../src/core/common.js';
import { counter } from '../../../src/core/metrics.js';
import type { ListQuery } from '../../../src/model/list-query.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { type Answer, ask } from '../../support/api/api.js';
import { createRecordMaker, SELECTORS } from '../../support/records.js';

const maker = createRecordMaker(5);
const message = maker.message({ sourceChainSelector: SELECTORS.high });
const result = maker.result(message);

describe('the admin port', () => {
  let storage: Storage;
  let common: Common;
  let admin: HttpServer;
  let asked: { kind: string; query: ListQuery } | undefined;

  beforeAll(async () => {
    common = createCommon();
    storage = createMemoryStorage({ name: 'hot' });
    const entry = { sourceId: 'chain:1', key: '0xaa:1', reason: 'decode', detail: '<b>end</b>', messageId: null };
    await storage.insertBatch({
      messages: [message],
      verifierResults: [result],
      quarantine: [1, 2, 3].map((raw) => ({ ...entry, key: `0xaa:${raw}`, raw: Uint8Array.of(raw) })),
    });
    await storage.insertBatch({ verifierResults: [{ ...result, ccvData: Uint8Array.of(1) }] });
    admin = createAdminServer({
      storage,
      common,
      settings: { host: '127.0.0.1', port: 0 },
      status: async () => ({ version: '1.2.3', sources: [{ name: 'a <b>', height: 2n ** 60n }], throughMs: Infinity }),
      explain(kind, query) {
        asked = { kind, query };
        return { slices: [{ backend: 'hot', fromMs: query.startMs }] };
      },
    });
    await admin.listen();
  });

  afterAll(async () => {
    await admin.close();
    await storage.close();
  });

  const get = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
    ask(admin.address()?.port ?? 0, path, headers);

  it('gives out the metrics of the whole process', async () => {
    counter(common.metrics, { name: 'indexer_test_total', help: 'A test.' }).inc(7);
    const answer = await get('/metrics');
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
    expect(answer.text).toContain('indexer_test_total 7');
  });

  it('shows the status as JSON with every digit', async () => {
    for (const path of ['/status', '/']) {
      expect((await get(path)).text).toBe(
        '{"version":"1.2.3","sources":[{"name":"a <b>","height":1152921504606846976}],"throughMs":null}',
      );
    }
  });

  it('explains a query, read as the lists read it', async () => {
    const answer = await get(`/explain?kind=messages&start=5&limit=7&sourceChainSelectors=${SELECTORS.max}`);
    expect(answer.json()).toEqual({ slices: [{ backend: 'hot', fromMs: 5 }] });
    expect(asked).toEqual({
      kind: 'messages',
      query: { startMs: 5, sourceChainSelectors: [SELECTORS.max], limit: 7, offset: 0 },
    });
    for (const path of ['/explain', '/explain?kind=cursors', '/explain?kind=messages&limit=x']) {
      const refused = await get(path);
      expect(refused.status).toBe(400);
      expect(refused.json()).toMatchObject({ success: false, status: 400 });
    }
  });

  it('shows everything about a message, orphaned ones too', async () => {
    await storage.insertBatch({ orphanings: [{ messageId: message.messageId, blockHash: message.origin!.blockHash }] });
    const answer = await get(`/messages/${message.messageId}`);
    expect(answer.json()).toMatchObject({
      messageId: message.messageId,
      stored: {
        status: 'processing',
        orphaned: true,
        origin: { blockHash: message.origin!.blockHash, transactionHash: message.origin!.transactionHash },
      },
      verifierResults: [{ verifierName: 'committee-a', orphaned: true, ccvDataBytes: result.ccvData.length }],
      message: { source_chain_selector: SELECTORS.high },
    });
    expect((await get('/messages/0x00')).status).toBe(404);
    expect((await get('/messages/zz')).status).toBe(400);
  });

  it('shows a message of which only verifications are stored', async () => {
    const lonely = maker.result(maker.message());
    await storage.insertBatch({ verifierResults: [lonely] });
    expect((await get(`/messages/${lonely.messageId}`)).json()).toMatchObject({
      stored: null,
      verifierResults: [{ verifierSourceAddress: lonely.verifierSourceAddress }],
    });
  });

  it('pages through quarantine and conflicts by position', async () => {
    const page = async (path: string) =>
      (await get(path)).json() as Record<string, { position: number; raw: string }[]>;
    const { quarantine: first } = await page('/quarantine?limit=2&bytes=true');
    expect(first?.map((entry) => entry.raw)).toEqual(['0x01', '0x02']);
    const { quarantine: second } = await page(`/quarantine?limit=2&bytes=true&after=${first?.[1]?.position}`);
    expect(second?.map((entry) => entry.raw)).toEqual(['0x03']);
    const { conflicts } = await page('/conflicts');
    expect(conflicts).toMatchObject([{ record: 'verifierResult', messageId: message.messageId }]);
    expect((await get('/conflicts?after=x')).status).toBe(400);
  });

  it('shows quarantined bytes only when it is asked for them, and then not too many at once', async () => {
    const { quarantine } = (await get('/quarantine')).json() as { quarantine: Record<string, unknown>[] };
    expect(quarantine).toHaveLength(3);
    for (const entry of quarantine) expect([entry['rawBytes'], 'raw' in entry]).toEqual([1, false]);
    const large = Array.from({ length: 12 }, (_, key) => ({ key: `large:${key}`, raw: maker.bytes(1_000_000) }));
    const entry = { sourceId: 'chain:2', reason: 'decode', detail: '', messageId: null };
    await storage.insertBatch({ quarantine: large.map((each) => ({ ...entry, ...each })) });
    const count = async (path: string) => ((await get(path)).json() as { quarantine: unknown[] }).quarantine.length;
    expect(await count('/quarantine')).toBe(15);
    expect(await count('/quarantine?bytes=true')).toBe(8);
    expect((await get('/quarantine?bytes=1')).status).toBe(400);
  });

  it.each(['/quarantine', '/conflicts'])('refuses positions of %s that no database counts to', async (path) => {
    expect((await get(`${path}?after=9223372036854775807`)).status).toBe(200);
    for (const after of ['9223372036854775808', '9999999999999999999', '18446744073709551616'])
      expect((await get(`${path}?after=${after}`)).status).toBe(400);
  });

  it('says that it runs, and answers errors like the query API', async () => {
    expect([(await get('/health')).status, (await get('/nowhere')).json()]).toEqual([
      200,
      { success: false, status: 404, message: 'not found' },
    ]);
  });
});
