import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { ask, askRaw, gate } from '../../support/api/api.js';
import { apiFixture } from '../../support/api/api-fixture.js';
import { createRecordMaker } from '../../support/records.js';

const maker = createRecordMaker(3);
const fixture = apiFixture(() => maker.results(3));
const { start } = fixture;

describe('an HTTP server of the query API that drains', () => {
  it('finishes what is under way, takes nothing new and closes idle connections', async () => {
    const { queryMessages, asked, release } = fixture.heldQueries();
    const api = await start({}, { queryMessages });
    const idle = new Agent({ keepAlive: true });
    await new Promise((resolve) =>
      request({ port: api.port, path: '/health', agent: idle }, (answer) => answer.resume().on('end', resolve)).end(),
    );
    const slow = api.get('/v1/messages', { connection: 'keep-alive' });
    await asked;
    let closed = false;
    const closing = api.close().then(() => {
      closed = true;
    });
    await expect(ask(api.port, '/health')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(closed).toBe(false);
    release();
    expect((await slow).text).toBe('{"success":true,"messages":{}}');
    await closing;
    idle.destroy();
  });

  it('answers every request that a connection has sent before the drain, and then closes it', async () => {
    const { queryMessages, asked, release } = fixture.heldQueries();
    const api = await start({}, { queryMessages });
    const head = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
    const answers = askRaw(api.port, head('/v1/messages') + head('/v1/verifierresults?limit=0'));
    await asked;
    const closing = api.close();
    release();
    const text = await answers;
    expect(text).toContain('{"success":true,"messages":{}}');
    expect(text).toContain('{"success":true,"verifierResults":{}}');
    await closing;
  });

  it.each(['of known length', 'read in parts'])(
    'lets a client that reads slowly have its whole answer: %s',
    async (kind) => {
      const inParts = kind === 'read in parts';
      const big = maker.message({ dataBytes: 60_000 });
      for (let ccv = 0; ccv < 30; ccv += 1)
        await fixture.storage.insertBatch({ verifierResults: [maker.result(big, ccv, { ccvDataBytes: 60_000 })] });
      const api = await start(inParts ? {} : { answerPartBytes: 8_000_000 });
      const socket = connect(api.port, '127.0.0.1');
      socket.write(`GET /v1/verifierresults/${big.messageId} HTTP/1.1\r\nhost: x\r\n\r\n`);
      // the first bytes are here, the rest waits for us to read
      await once(socket, 'readable');
      const closing = api.close();
      const received = await buffer(socket);
      const text = received.toString('latin1');
      const [head = ''] = text.split('\r\n\r\n', 1);
      await closing;
      expect(received.length).toBeGreaterThan(7_000_000);
      if (inParts) expect(text.endsWith('\r\n0\r\n\r\n')).toBe(true);
      else expect(received.length - head.length - 4).toBe(Number(/content-length: (\d+)/.exec(head)?.[1]));
    },
  );

  it('cuts what does not finish within the limit', async () => {
    const asked = gate();
    const api = await start(
      { drainLimitMs: 50 },
      {
        queryMessages() {
          asked.open();
          return new Promise(() => undefined);
        },
      },
    );
    const stuck = expect(api.get('/v1/messages')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await asked.opened;
    await api.close();
    await stuck;
  });

  it('can be asked for twice, and before listening', async () => {
    const api = await start();
    await Promise.all([api.close(), api.close()]);
  });
});
