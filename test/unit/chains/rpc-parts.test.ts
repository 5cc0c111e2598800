import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { ChainMovedError } from '../../../src/chains/chain-errors.js';
import { createBloomTest } from '../../../src/chains/logs/log-bloom.js';
import { createRangeSize } from '../../../src/chains/logs/range-size.js';
import { MalformedAnswerError } from '../../../src/chains/rpc/json-rpc-transport.js';
import { subscribeNewHeads } from '../../../src/chains/rpc/new-heads.js';
import { encodeLogFilter, parseLogs } from '../../../src/chains/rpc/raw-log.js';
import { classifyFailure } from '../../../src/chains/rpc/rpc-error-codes.js';
import { createRpcPool } from '../../../src/chains/rpc/rpc-pool.js';
import { HeaderChain, type KnownBlock } from '../../../src/chains/watch/header-chain.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { createRateLimiter } from '../../../src/core/rate-limiter.js';
import { eventually } from '../../support/eventually.js';
import { createManualClock } from '../../support/manual-clock.js';

const never = new AbortController().signal;
const hash = (serial: number): Hex => `0x${serial.toString(16).padStart(64, '0')}`;

describe('the size of ranges', () => {
  const size = (maxBlocks: number) => createRangeSize({ maxBlocks, targetLogs: 1_000, onChange: () => undefined });

  it('finds the cap of a node and stays below it', () => {
    const range = size(5_000);
    let failures = 0;
    for (let asked = 0; asked < 60; asked++) {
      const { blocks } = range;
      if (blocks > 700) {
        failures++;
        range.shrink(blocks);
      } else range.grow(blocks, 0);
    }
    expect(range.blocks).toBeLessThanOrEqual(700);
    expect(range.blocks).toBeGreaterThan(500);
    expect(failures).toBeLessThan(10);
  });

  it('tries a larger range again after many successes', () => {
    const range = size(5_000);
    range.shrink(64);
    for (let asked = 0; asked < 80; asked++) range.grow(range.blocks, 0);
    expect(range.blocks).toBe(5_000);
  });

  it('gets smaller where logs are dense, and is at least one block', () => {
    const range = size(5_000);
    range.grow(64, 64 * 50);
    expect(range.blocks).toBe(20);
    range.grow(20, 20 * 5_000);
    expect(range.blocks).toBe(1);
    range.shrink(1);
    expect(range.blocks).toBe(1);
  });
});

describe('the rate limit', () => {
  it('lets a second through at once, then one at a time, in order', async () => {
    const clock = createManualClock();
    const limit = createRateLimiter({ perSecond: 10, clock });
    const passed: number[] = [];
    for (let request = 0; request < 25; request++) limit.take(never).then(() => passed.push(request));
    await clock.settle();
    expect(passed).toHaveLength(10);
    await clock.advance(500);
    expect(passed).toHaveLength(15);
    await clock.advance(2_000);
    expect(passed).toEqual(Array.from({ length: 25 }, (_, request) => request));
  });

  it('lets nothing through during a pause, and a waiting request can be given up', async () => {
    const clock = createManualClock();
    const limit = createRateLimiter({ perSecond: null, clock });
    limit.pause(1_000);
    let passed = false;
    const waiting = limit.take(never).then(() => {
      passed = true;
    });
    const controller = new AbortController();
    const givenUp = limit.take(controller.signal);
    controller.abort();
    await expect(givenUp).rejects.toMatchObject({ code: 'ABORTED' });
    await clock.advance(999);
    expect(passed).toBe(false);
    await clock.advance(1);
    await waiting;
    expect(clock.pending).toBe(0);
  });
});

describe('errors that nodes give', () => {
  const origin = { chain: 'a', url: 0 };
  const logs = (fromBlock: string, toBlock: string) => ({ method: 'eth_getLogs', params: [{ fromBlock, toBlock }] });

  it.each([-32602, -32005, -32000, -32614, 35])('take code %i over a range as a reason to ask for less', (code) => {
    const failure = { code, message: 'whatever it says' };
    expect(classifyFailure(origin, logs('0x1', '0x2'), failure).kind).toBe('tooManyResults');
    expect(classifyFailure(origin, logs('0x1', '0x1'), failure).kind).not.toBe('tooManyResults');
    expect(classifyFailure(origin, { method: 'eth_chainId', params: [] }, failure).kind).not.toBe('tooManyResults');
  });

  it('tell a limited rate from a refusal', () => {
    const call = { method: 'eth_getBlockByNumber', params: ['safe', false] };
    expect(classifyFailure(origin, call, { code: -32005, message: '' }).kind).toBe('rateLimited');
    expect(classifyFailure(origin, call, { code: 429, message: '' }).kind).toBe('rateLimited');
    expect(classifyFailure(origin, call, { code: -32601, message: '' }).kind).toBe('refused');
  });
});

describe('an answer with logs', () => {
  const filter = { address: `0x${'aa'.repeat(20)}`, topic0: hash(9), blocks: { from: 5, to: 9 } } as const;
  const log = (overrides: Record<string, unknown> = {}) => ({
    address: filter.address,
    topics: [filter.topic0],
    data: '0x0102',
    blockNumber: '0x5',
    blockHash: hash(5),
    transactionHash: hash(7),
    logIndex: '0x0',
    ...overrides,
  });

  it('is taken when it is what was asked for', () => {
    const logs = [log(), log({ logIndex: '0x3' }), log({ blockNumber: '0x9', blockHash: hash(6) })];
    expect(parseLogs(logs, filter).map(({ blockNumber, logIndex }) => [blockNumber, logIndex])).toEqual([
      [5, 0],
      [5, 3],
      [9, 0],
    ]);
  });

  it('may be of any of several contracts that were asked for, and of no other', () => {
    const [first, second, other] = ['aa', 'bb', 'cc'].map((byte): Hex => `0x${byte.repeat(20)}`) as [Hex, Hex, Hex];
    const ofBoth = { ...filter, address: [first, second] };
    expect(encodeLogFilter(ofBoth)).toMatchObject({ address: [first, second] });
    const logs = [log({ address: second }), log({ address: first, logIndex: '0x1' })];
    expect(parseLogs(logs, ofBoth).map(({ address }) => address)).toEqual([second, first]);
    expect(() => parseLogs([log({ address: other })], ofBoth)).toThrow(MalformedAnswerError);
  });

  it.each<[string, unknown]>([
    ['is no array', { 0: log() }],
    ['holds no objects', ['log']],
    ['holds data that is not hex', [log({ data: '0x01zz' })]],
    ['holds half a byte', [log({ data: '0x010' })]],
    ['holds a short topic', [log({ topics: ['0x01'] })]],
    ['lacks a block hash', [log({ blockHash: null })]],
    ['has a block number beyond what is exact', [log({ blockNumber: `0x${'f'.repeat(14)}` })]],
  ])('is refused when it %s', (_, answer) => {
    expect(() => parseLogs(answer, filter)).toThrow(MalformedAnswerError);
  });
});

describe('the bloom test', () => {
  it('needs all three bits of a value', () => {
    // keccak256 of 20 bytes of zero is 0x5380c7b7ae81a58eb98d9c78de4a1fd7…: bits 0x380, 0x7b7, 0x681
    const mayHold = createBloomTest([`0x${'00'.repeat(20)}`]);
    const bloom = Buffer.alloc(256);
    expect(mayHold(`0x${bloom.toString('hex')}`)).toBe(false);
    for (const bit of [0x380, 0x7b7, 0x681]) {
      expect(mayHold(`0x${bloom.toString('hex')}`)).toBe(false);
      const byte = 255 - (bit >>> 3);
      bloom[byte] = (bloom[byte] ?? 0) | (1 << (bit & 7));
    }
    expect(mayHold(`0x${bloom.toString('hex')}`)).toBe(true);
  });
});

describe('the known blocks', () => {
  const block = (number: number, serial: number, parent: number): KnownBlock => ({
    number,
    hash: hash(serial),
    parentHash: hash(parent),
    timestampMs: 0,
    mayHoldMessage: false,
    hasBloom: true,
  });

  it('take only what follows, tell what is off the chain, and forget it once settled', () => {
    const chain = new HeaderChain('a', { number: 10, hash: hash(10) });
    chain.append(block(11, 11, 10));
    chain.append(block(12, 12, 11));
    expect(() => chain.append(block(13, 13, 99))).toThrow(ChainMovedError);
    expect(() => chain.append(block(14, 14, 12))).toThrow(ChainMovedError);
    chain.truncate(11);
    expect([chain.isOffChain(12, hash(12)), chain.isOffChain(12, hash(77)), chain.isOffChain(11, hash(11))]).toEqual([
      true,
      false,
      false,
    ]);
    chain.append(block(12, 112, 11));
    expect(chain.isOffChain(12, hash(77))).toBe(true);
    chain.truncate(11);
    chain.append(block(12, 12, 11));
    expect(chain.isOffChain(12, hash(12))).toBe(false);
    expect(chain.droppedCount).toBe(1);
    chain.settle();
    expect(chain.droppedCount).toBe(0);
    chain.advance({ number: 11, hash: hash(11) });
    expect(chain.between(11, 12).map(({ number }) => number)).toEqual([12]);
    chain.advance({ number: 50, hash: hash(50) });
    expect(chain.tip).toEqual({ number: 50, hash: hash(50) });
  });
});

describe('a client', () => {
  it('without URLs is refused', () => {
    expect(() => createRpcPool({ chainName: 'a', urls: [], common: createCommon() })).toThrow(/pass at least one/);
  });
});

describe('a subscription to new heads', () => {
  it('tells of each new block, and comes back after the connection was lost', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await new Promise((resolve) => server.once('listening', resolve));
    const sockets: WebSocket[] = [];
    server.on('connection', (socket) => {
      socket.on('message', (data) => {
        const { id, method } = JSON.parse(data.toString()) as { id: number; method: string };
        if (method !== 'eth_subscribe') return;
        socket.send(JSON.stringify({ jsonrpc: '2.0', id, result: '0x1' }));
        sockets.push(socket);
      });
    });
    const notice = JSON.stringify({ jsonrpc: '2.0', method: 'eth_subscription', params: { subscription: '0x1' } });
    let heads = 0;
    const subscription = subscribeNewHeads({
      url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
      origin: { chain: 'a', url: 0 },
      onHead: () => heads++,
      common: createCommon(),
    });
    await eventually('subscribed', () => sockets.length === 1);
    expect(heads).toBe(0);
    sockets[0]?.send('not JSON');
    sockets[0]?.send(notice);
    await eventually('told', () => heads === 1);
    sockets[0]?.terminate();
    await eventually('subscribed again', () => sockets.length === 2);
    sockets[1]?.send(notice);
    await eventually('told again', () => heads === 2);
    subscription.close();
    await eventually('gone', () => server.clients.size === 0);
    await new Promise((resolve) => server.close(resolve));
  });
});
