import { once } from 'node:events';
import { type IncomingMessage, get as request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { laneHash } from '../../../src/api/v2/feed/lane-share.js';
import { logOf } from '../../../src/model/identity.js';
import { createPostgresStorage } from '../../../src/storage/postgres/postgres-storage.js';
import type { Storage } from '../../../src/storage/storage.js';
import { gate, partsOf, type RunningApi, startApi } from '../../support/api/api.js';
import { FeedReader } from '../../support/api/feed-reader.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(91);

describe('the feed', () => {
  let database: TestDatabase;
  const opened: { api: RunningApi; storage: Storage }[] = [];

  /** A server as a process of its own has it: its storage is another connection to the database. */
  async function serve() {
    const storage = createPostgresStorage({ connection: database.connection });
    const server = { storage, api: await startApi(storage) };
    opened.push(server);
    return server;
  }
  async function end({ api, storage }: (typeof opened)[number]) {
    await api.close();
    await storage.close();
  }

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => {
    for (const server of opened) await end(server);
    await database.drop();
  });

  const lanes = Array.from({ length: 50 }, (_, n) => ({
    sourceChainSelector: BigInt(n) * 3n,
    destChainSelector: 2n ** 64n - 1n - BigInt(n),
  }));

  /** A commit with every kind of change of some lanes; the positions that the feed tells of it. */
  async function write(storage: Storage, count: number): Promise<void> {
    const messages = Array.from({ length: count }, () =>
      make.message({ ...lanes[Math.floor(make.random() * lanes.length)]!, dataBytes: 4 }),
    );
    const executions = messages.slice(0, 2).map((message) => make.execution(message));
    await storage.insertBatch({
      messages,
      verifierResults: messages.map((message) => make.result(message)),
      executions,
      cursors: [],
      quarantine: [{ sourceId: 's', key: make.hex(8), reason: 'ABI', detail: '', raw: make.bytes(3), messageId: null }],
    });
    if (make.random() < 0.3) await storage.insertBatch({ executionOrphanings: [logOf(executions[0]!)] });
  }

  it('promise 6: three members over 50 lanes see every change once, each lane in order, while servers and readers restart', async () => {
    let [a, b] = [await serve(), await serve()];
    const { storage: writer } = await serve();
    const members = [0, 1, 2].map(() => new FeedReader('0'));
    let isOver = false;
    const follow = async (reader: FeedReader, member: number) => {
      for (let turn = member; ; turn += 1) {
        const { api } = turn % 2 === 0 ? a : b;
        await reader.connect(api.port, `member=${member}&size=3`).catch(() => undefined);
        await eventually(`member ${member} is cut off, or has all`, () => reader.ended || isOver);
        if (isOver) return reader.stop();
      }
    };
    const following = members.map(follow);
    for (let round = 0; round < 30; round += 1) {
      await write(writer, 12);
      if (round % 10 === 4) members[round % 3]!.stop();
      if (round === 12) {
        await end(a);
        opened.splice(opened.indexOf(a), 1);
        a = await serve();
      }
      if (round === 22) {
        await end(b);
        opened.splice(opened.indexOf(b), 1);
        b = await serve();
      }
    }
    const { changes, headPosition } = await writer.changesAfter(0n, 100_000);
    const expected = changes.filter(({ kind }) => ['message', 'verifierResult', 'execution'].includes(kind));
    await eventually('every member stands at the head', () =>
      members.every(({ lastId }) => BigInt(lastId ?? 0) >= headPosition),
    );
    isOver = true;
    await Promise.all(following);
    const told = members.flatMap(({ events }) => events);
    // a record that changed again is told again: what counts is that its last change was told, and once
    const last = new Map(told.map((event) => [event.position, event]));
    for (const { position, kind } of expected) expect(last.get(position)?.kind, `${position}`).toBe(kind);
    expect(last.size).toBe(told.length);
    for (const [member, { events }] of members.entries()) {
      expect(events.length).toBeGreaterThan(100);
      expect(events.every((event, i) => i === 0 || event.position > events[i - 1]!.position)).toBe(true);
      for (const { lane } of events) expect(laneHash(lane) % 3n).toBe(BigInt(member));
    }
  });

  it('gives pages from the beginning, of the wanted kinds and lanes, that end where the next one begins', async () => {
    const { api, storage } = await serve();
    const { changes } = await storage.changesAfter(0n, 100_000);
    const lane = `${lanes[3]!.sourceChainSelector}-${lanes[3]!.destChainSelector}`;
    const positions = async (parameters: string) => {
      const found: { position: string; kind: string }[] = [];
      for (let after = '0'; ; ) {
        const { text } = await api.get(`/v2/feed?after=${after}&${parameters}`);
        const page = JSON.parse(text);
        found.push(...page.changes);
        after = page.nextAfter;
        if (after === page.headPosition) return found;
      }
    };
    const kinds = await positions('kinds=execution&limit=7');
    expect(kinds.map(({ position }) => BigInt(position))).toEqual(
      changes.filter(({ kind }) => kind === 'execution').map(({ position }) => position),
    );
    const all = await positions('limit=500');
    const ofLane = await positions(`lanes=${lane}&limit=3`);
    expect(ofLane.length).toBeGreaterThan(3);
    expect(ofLane).toEqual(
      all.filter((change) => {
        const { sourceChainSelector, destChainSelector } = change as unknown as Record<string, string>;
        return `${sourceChainSelector}-${destChainSelector}` === lane;
      }),
    );
  });

  it('begins now without a position, hears of commits of other processes, and ends when its server does', async () => {
    const [server, { storage: writer }] = [await serve(), await serve()];
    const reader = new FeedReader();
    const answer = await reader.connect(server.api.port, 'kinds=message');
    expect(answer.headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    await eventually('the reader knows where it stands', () => reader.lastId !== null);
    await write(writer, 5);
    await eventually('five messages were told', () => reader.events.length === 5);
    expect(reader.events.every(({ kind }) => kind === 'message')).toBe(true);
    opened.splice(opened.indexOf(server), 1);
    await end(server);
    await eventually('the reader was let go', () => reader.ended);
    expect(reader.failure).toBeNull();
  });

  it('a reader that takes nothing holds no other up', async () => {
    const [server, { storage: writer }] = [await serve(), await serve()];
    const slow = request({
      ...{ host: '127.0.0.1', port: server.api.port, path: '/v2/feed?after=0', agent: false },
      headers: { accept: 'text/event-stream' },
    });
    const [answer] = (await once(slow, 'response')) as [IncomingMessage];
    answer.pause();
    const reader = new FeedReader('0');
    await reader.connect(server.api.port, '');
    await write(writer, 10);
    const head = (await writer.changesAfter(0n, 1)).headPosition;
    await eventually('the other stands at the head', () => BigInt(reader.lastId ?? 0) >= head);
    answer.destroy();
    reader.stop();
  });

  it('promise 3: a position above the last one is a conflict, not silence', async () => {
    const { api } = await serve();
    for (const accept of ['text/event-stream', 'application/json']) {
      const { status, text } = await api.get('/v2/feed?after=99999999', { accept });
      expect(status).toBe(409);
      expect(JSON.parse(text).detail).toContain('position 99999999 is above the last one');
    }
  });

  it('refuses more readers of events than are allowed, and lets one in when another leaves', async () => {
    const { storage } = await serve();
    const api = await startApi(storage, { maxFeedReaders: 1 });
    const first = new FeedReader();
    await first.connect(api.port, '');
    const accept = 'text/event-stream';
    expect((await api.get('/v2/feed', { accept })).status).toBe(503);
    expect((await api.get('/v2/feed?limit=1')).status).toBe(200);
    first.stop();
    const next = new FeedReader();
    await eventually('there is room again', async () => {
      const { statusCode } = await next.connect(api.port, '');
      return statusCode === 200;
    });
    next.stop();
    await api.close();
  });

  it('gives back the places of readers that leave before they are answered', async () => {
    const { storage } = await serve();
    const held = gate();
    let asked = 0;
    const slow = {
      ...partsOf(storage),
      async changesAfter(after: bigint, limit?: number) {
        asked += 1;
        await held.opened;
        return await storage.changesAfter(after, limit);
      },
    };
    const api = await startApi(slow, { maxFeedReaders: 2 });
    const headers = { accept: 'text/event-stream' };
    const leaving = [1, 2].map((after) => {
      const path = `/v2/feed?after=${after}`;
      return request({ host: '127.0.0.1', port: api.port, path, headers, agent: false }).on('error', () => undefined);
    });
    await eventually('both are waited for', () => asked === 2);
    expect((await api.get('/v2/feed?after=3', headers)).status).toBe(503);
    for (const client of leaving) client.destroy();
    await eventually('their places are free', async () => {
      const reader = new FeedReader('0');
      const connecting = reader.connect(api.port, '');
      held.open();
      const { statusCode } = await connecting;
      reader.stop();
      return statusCode === 200;
    });
    await api.close();
  });

  it('ends sets and pages of large records early, and tells all of them', async () => {
    const { storage } = await serve();
    const from = (await storage.changesAfter(0n, 1)).headPosition;
    const message = make.message({ ccvs: Array.from({ length: 6 }, () => make.hex(20)) });
    const verifierResults = message.messageCCVAddresses.map((_, ccv) =>
      make.result(message, ccv, { ccvDataBytes: 700_000 }),
    );
    await storage.insertBatch({ messages: [message], verifierResults });
    const api = await startApi(storage);
    const positions: string[] = [];
    let pages = 0;
    for (let after = String(from); ; pages += 1) {
      const page = JSON.parse((await api.get(`/v2/feed?after=${after}&limit=500`)).text);
      positions.push(...page.changes.map(({ position }: { position: string }) => position));
      expect(page.changes.length).toBeLessThanOrEqual(3);
      after = page.nextAfter;
      if (after === page.headPosition) break;
    }
    expect(positions).toEqual(Array.from({ length: 7 }, (_, i) => String(from + BigInt(i) + 1n)));
    expect(pages).toBeGreaterThan(1);
    await api.close();
  });

  it.each([
    ['0-0', 0xc7763203e20a64b2n],
    ['5009297550715157269-14767482510784806043', 0x81037dca0c5dc632n],
  ])('the hash of lane %s is the first eight bytes of its md5', (lane, hash) => {
    expect(laneHash(lane)).toBe(hash);
  });
});
