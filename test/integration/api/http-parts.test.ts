import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import type { Storage } from '../../../src/storage/storage.js';
import { gate } from '../../support/api/api.js';
import { apiFixture } from '../../support/api/api-fixture.js';
import { eventually } from '../../support/eventually.js';
import { createRecordMaker } from '../../support/records.js';

const LARGE = 20_000;
const PART = { answerPartBytes: 50_000 };

const maker = createRecordMaker(5);
const fixture = apiFixture(() => []);
const { start } = fixture;

async function fill() {
  const messages = Array.from({ length: 12 }, (_, i) =>
    maker.message({ dataBytes: LARGE, origin: maker.origin(BigInt(i)), ccvs: [maker.hex(20), maker.hex(20)] }),
  );
  const results = [0, 1].map((ccv) => messages.map((message) => maker.result(message, ccv)));
  await fixture.storage.insertBatch({ messages, verifierResults: results[0]! });
  await fixture.storage.insertBatch({ verifierResults: results[1]! });
  return messages;
}

/** A message with the results of seven CCVs that it names, and of one that it does not. */
async function fillOne() {
  const message = maker.message({ ccvs: Array.from({ length: 7 }, () => maker.hex(20)) });
  const verifierResults = Array.from({ length: 8 }, (_, ccv) =>
    maker.result(message, ccv % 7, { ccvDataBytes: LARGE, ...(ccv === 7 && { source: maker.hex(20) }) }),
  );
  await fixture.storage.insertBatch({ messages: [message], verifierResults });
  return message;
}

/** Reads of single records that wait until they are let go. */
function heldRecords(storage: () => Storage) {
  const [asked, held] = [gate(), gate()];
  const hold = async <T>(read: () => Promise<T>): Promise<T> => {
    asked.open();
    await held.opened;
    return await read();
  };
  const faults: Partial<Storage> = {
    getMessage: (id) => hold(() => storage().getMessage(id)),
    getCCVData: (id, part) =>
      part && 'maxBytes' in part ? storage().getCCVData(id, part) : hold(() => storage().getCCVData(id, part)),
  };
  return { faults, asked: asked.opened, release: held.open };
}

describe('an answer that is read in parts', () => {
  it.each(['/v1/messages', '/v1/verifierresults', '/v1/verifierresults?offset=3&limit=15'])(
    'has the bytes of one that is read at once: %s',
    async (path) => {
      await fill();
      const [whole, inParts] = [await start(), await start(PART)];
      const expected = await whole.get(path);
      expect(expected.headers['content-length']).toBeDefined();
      const answer = await inParts.get(path);
      expect(answer.headers['transfer-encoding']).toBe('chunked');
      expect(answer.text).toBe(expected.text);
      expect((await inParts.get(path, {}, 'HEAD')).text).toBe('');
    },
  );

  it.each(['/v1/messages', '/v1/verifierresults'])(
    'is of one state whatever changes while it is sent (promises 3, 4, 9): %s',
    async (path) => {
      const messages = await fill();
      const expected = (await (await start()).get(path)).text;
      const records = heldRecords(() => fixture.storage);
      const api = await start(PART, records.faults);
      const answer = api.get(path);
      await records.asked;
      await fixture.storage.insertBatch({
        statuses: messages.map(({ messageId }) => ({ messageId, status: 'timeout' })),
        orphanings: messages.slice(6).map(({ messageId, origin }) => ({ messageId, blockHash: origin!.blockHash })),
      });
      await fixture.storage.insertBatch({ messages: messages.slice(8), verifierResults: maker.results(3) });
      records.release();
      expect((await answer).text).toBe(expected);
      expect((await api.get(path)).text).not.toBe(expected);
    },
  );

  it('of one id is whole, too, in either version', async () => {
    const { messageId } = await fillOne();
    for (const path of [`/v1/verifierresults/${messageId}`, `/v2/messages/${messageId}`]) {
      const expected = await (await start()).get(path);
      expect(expected.headers['content-length']).toBeDefined();
      const answer = await (await start(PART)).get(path);
      expect([answer.headers['transfer-encoding'], answer.text]).toEqual(['chunked', expected.text]);
      const { results, requiredCCVs, otherVerifications } = JSON.parse(answer.text);
      expect(results ?? [...requiredCCVs, ...otherVerifications]).toHaveLength(8);
    }
  });

  it('is an error as long as nothing was sent, and a broken connection after, never a shorter answer (promise 3)', async () => {
    await fill();
    const fail = () => Promise.reject(new StorageUnavailableError('warm', 'get message'));
    const atOnce = await start({ answerPartBytes: 1 }, { getMessage: fail });
    expect((await atOnce.get('/v1/messages')).status).toBe(503);
    let reads = 0;
    const getMessage: Storage['getMessage'] = (id) => (++reads > 5 ? fail() : fixture.storage.getMessage(id));
    const later = await start(PART, { getMessage });
    await expect(later.get('/v1/messages')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await later.common.metrics.getSingleMetricAsString('indexer_http_answers_broken_total')).toContain(
      'total 1',
    );
  });

  it('is refused with 503 while those under way take all memory, and small ones are not (bounds in bytes)', async () => {
    await fill();
    const records = heldRecords(() => fixture.storage);
    const api = await start({ ...PART, maxAnswerBytes: 150_000 }, records.faults);
    const first = api.get('/v1/messages');
    await records.asked;
    const refused = await api.get('/v1/messages');
    expect([refused.status, refused.headers['retry-after'], refused.json()]).toEqual([
      503,
      '1',
      { success: false, status: 503, message: 'too many large answers at once' },
    ]);
    expect((await api.get('/v1/messages?limit=1')).status).toBe(200);
    records.release();
    expect((await first).status).toBe(200);
    expect((await api.get('/v1/messages')).status).toBe(200);
    expect(await api.common.metrics.getSingleMetricAsString('indexer_http_answers_under_way_bytes')).toContain(
      'bytes 0',
    );
  });

  it('of a message of the second version is refused as well, before anything is rendered', async () => {
    const path = `/v2/messages/${(await fillOne()).messageId}`;
    const records = heldRecords(() => fixture.storage);
    const api = await start({ ...PART, maxAnswerBytes: 150_000 }, { getCCVData: records.faults.getCCVData! });
    const first = api.get(path);
    await records.asked;
    const refused = await api.get(path);
    expect([refused.status, refused.json()]).toMatchObject([503, { detail: 'too many large answers at once' }]);
    records.release();
    expect((await first).status).toBe(200);
  });

  it('reads no further than its client does, and nothing once that is gone', async () => {
    const messages = Array.from({ length: 400 }, () => maker.message({ dataBytes: 60_000 }));
    await fixture.storage.insertBatch({ messages });
    let reads = 0;
    const getMessage: Storage['getMessage'] = (id) => {
      reads += 1;
      return fixture.storage.getMessage(id);
    };
    const api = await start(PART, { getMessage });
    const socket = connect(api.port, '127.0.0.1');
    socket.write('GET /v1/messages?limit=1000 HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(socket, 'readable');
    socket.destroy();
    // 24 million bytes do not fit into the buffers between two sockets
    await eventually('the answer to be given up', async () =>
      (await api.common.metrics.getSingleMetricAsString('indexer_http_answers_under_way_bytes')).endsWith('bytes 0'),
    );
    expect((await api.get('/v1/messages?limit=1')).status).toBe(200);
    expect(reads).toBeLessThan(300);
  });
});
