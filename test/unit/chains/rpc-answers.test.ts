import { describe, expect, it } from 'vitest';
import { createBloomTest } from '../../../src/chains/logs/log-bloom.js';
import { createBatchSize } from '../../../src/chains/rpc/batch-size.js';
import { parseBlockHeader } from '../../../src/chains/rpc/block-header.js';
import { decodeReply, MalformedAnswerError } from '../../../src/chains/rpc/json-rpc-transport.js';
import { parseLogs } from '../../../src/chains/rpc/raw-log.js';
import { fakeHeader, fakeHash as hash } from '../../support/chain/fake-node.js';
import { createManualClock } from '../../support/manual-clock.js';

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
const inBlock = (block: number, logIndex: number, more = {}) =>
  log({ blockNumber: `0x${block}`, blockHash: hash(block), logIndex: `0x${logIndex}`, ...more });
const places = (logs: readonly { blockNumber: number; logIndex: number }[]) =>
  logs.map(({ blockNumber, logIndex }) => `${blockNumber}:${logIndex}`);

describe('optional and redundant fields of logs', () => {
  it.each([
    ['absent', {}, null],
    ['null', { blockTimestamp: null }, null],
    ['zero', { blockTimestamp: '0x0' }, null],
    ['the number zero', { blockTimestamp: 0 }, null],
    ['no text and no number', { blockTimestamp: {} }, null],
    ['text of another kind', { blockTimestamp: '2025-11-13T02:13:20Z' }, null],
    ['negative', { blockTimestamp: -1 }, null],
    ['beyond the year 9999', { blockTimestamp: '0x8000000000000' }, null],
    ['text of many digits', { blockTimestamp: `0x${'1'.repeat(1_000_000)}` }, null],
    ['a JSON number', { blockTimestamp: 1_763_000_000 }, 1_763_000_000_000],
    ['hex', { blockTimestamp: '0x69153cc0' }, 1_762_999_488_000],
  ])('a block time that is %s stops nothing', (_, fields, expected) => {
    expect(parseLogs([log(fields)], filter)[0]?.blockTimestampMs).toBe(expected);
  });

  it('logs in another order are put in order', () => {
    const logs = [inBlock(7, 1), inBlock(5, 3), inBlock(7, 0), inBlock(5, 1)];
    expect(places(parseLogs(logs, filter))).toEqual(['5:1', '5:3', '7:0', '7:1']);
  });

  it('a log that came several times is taken once, and of two times for it none is believed', () => {
    const twice = { blockTimestamp: '0x2' };
    const logs = [inBlock(5, 1), inBlock(6, 0, twice), inBlock(5, 1), inBlock(6, 0, { blockTimestamp: 3 })];
    const kept = parseLogs(logs, filter);
    expect(places(kept)).toEqual(['5:1', '6:0']);
    expect(kept[1]?.blockTimestampMs).toBeNull();
  });

  it('block numbers and indexes may be JSON numbers', () => {
    expect(places(parseLogs([log({ blockNumber: 5, logIndex: 12 })], filter))).toEqual(['5:12']);
  });
});

describe('a contradiction or an impossible value in logs is an answer of this node, and says where', () => {
  it.each([
    ['two logs at one place', [inBlock(6, 1), inBlock(6, 1, { data: '0x03' })], 'logIndex 1 of block 6'],
    ['one place, two transactions', [inBlock(6, 1), inBlock(6, 1, { transactionHash: hash(8) })], 'block 6'],
    ['two hashes', [inBlock(6, 1), inBlock(6, 2, { blockHash: hash(1) })], 'blockHash of the logs of block 6'],
    ['one hash', [inBlock(6, 1), inBlock(7, 2, { blockHash: hash(6) })], 'blockHash of the logs of blocks 6 and 7'],
    ['an index that no store takes', [log({ logIndex: '0x80000000' })], 'logIndex of a log of block 5'],
    ['a fraction for an index', [log({ logIndex: 0.5 })], 'logIndex of a log of block 5'],
    ['a block number beyond any chain', [log({ blockNumber: 2 ** 51 })], 'blockNumber of a log'],
    ['a transaction hash of megabytes', [log({ transactionHash: `0x${'ab'.repeat(5e6)}` })], 'transactionHash'],
    ['an address of megabytes', [log({ address: `0x${'ab'.repeat(5e6)}` })], 'address of a log of block 5'],
    ['a removed log', [log({ removed: true })], 'removed of a log of block 5'],
  ])('%s', (_, logs, where) => {
    expect(() => parseLogs(logs, filter)).toThrow(MalformedAnswerError);
    expect(() => parseLogs(logs, filter)).toThrow(where);
  });
});

describe('optional fields of headers', () => {
  it.each([
    ['missing', undefined],
    ['null', null],
    ['empty', '0x'],
    ['short', '0x00'],
    ['long', `0x${'00'.repeat(257)}`],
    ['no hex', `0x${'zz'.repeat(256)}`],
    ['of megabytes', `0x${'ab'.repeat(5e6)}`],
    ['a number', 0],
  ])('a bloom that is %s proves nothing', (_, logsBloom) => {
    const header = parseBlockHeader({ ...fakeHeader(5), logsBloom });
    expect(header).toMatchObject({ number: 5, logsBloom: null });
    expect(createBloomTest([filter.address])(header!.logsBloom)).toBe(true);
  });

  it.each([
    ['hash', { hash: null }, 'hash of block 5'],
    ['parentHash', { parentHash: '0x12' }, 'parentHash of block 5'],
    ['timestamp', { timestamp: '0x8000000000000' }, 'timestamp of block 5'],
    ['timestamp', { timestamp: '0x0' }, 'timestamp of block 5 is 0'],
    ['timestamp', { timestamp: undefined }, 'timestamp of block 5'],
    ['number', { number: '0x8000000000000' }, 'number of a block'],
  ])('an impossible %s is an answer of this node, and says where', (_, fields, where) => {
    expect(() => parseBlockHeader({ ...fakeHeader(5), ...fields })).toThrow(MalformedAnswerError);
    expect(() => parseBlockHeader({ ...fakeHeader(5), ...fields })).toThrow(where);
  });

  it('the time of the first block may be 0, and numbers may be JSON numbers', () => {
    expect(parseBlockHeader({ ...fakeHeader(0), timestamp: '0x0' })?.timestampMs).toBe(0);
    expect(parseBlockHeader({ ...fakeHeader(5), number: 5, timestamp: 1_763_000_000 })).toMatchObject({
      number: 5,
      timestampMs: 1_763_000_000_000,
    });
  });
});

describe('the answer to a batch', () => {
  const error = { code: -32600, message: 'no batches' };

  it('is taken in any order, with ids as text, and without a result that is null', () => {
    expect(decodeReply([{ id: '2', result: 'b' }, { id: 3 }, { id: 1, result: 'a' }], 3)).toEqual([
      { ok: true, result: 'a' },
      { ok: true, result: 'b' },
      { ok: true, result: null },
    ]);
  });

  it.each([
    ['an error', { id: null, error }],
    ['an array of one error', [{ id: null, error }]],
  ])('%s is the answer to each call', (_, reply) => {
    expect(decodeReply(reply, 3)).toEqual(Array(3).fill({ ok: false, failure: error }));
  });

  it.each([
    ['nothing', []],
    ['one result', { id: 1, result: 'a' }],
    ['an array of one result', [{ id: 1, result: 'a' }]],
    ['an answer too few', [1, 2].map((id) => ({ id, result: 'a' }))],
    ['an answer too many', [1, 2, 3, 4].map((id) => ({ id, result: 'a' }))],
    ['an answer twice', [1, 2, 2].map((id) => ({ id, result: 'a' }))],
    ['answers without ids', Array(3).fill({ result: 'a' })],
    ['ids that are objects', [1, 2, 3].map((id) => ({ id: { toString: id }, result: 'a' }))],
    ['text', 'no batches'],
    ['null', null],
    ['lists', [[], [], []]],
    ['numbers beyond count', Array(1_000_000).fill(0)],
  ])('is refused when it is %s', (_, reply) => {
    expect(() => decodeReply(reply, 3)).toThrow(MalformedAnswerError);
  });
});

describe('the size of batches', () => {
  it('halves when batches are refused twice in a row, and comes back one step in five minutes', async () => {
    const clock = createManualClock();
    const changes: number[] = [];
    const size = createBatchSize({ maxCalls: 50, clock, onChange: (calls) => changes.push(calls) });
    size.refused(50);
    size.answered(50);
    size.refused(50);
    expect(size.calls).toBe(50);
    size.answered(3);
    size.refused(5);
    expect(size.calls).toBe(3);
    size.refused(2);
    size.refused(2);
    expect(size.calls).toBe(1);
    for (let step = 0; step < 8; step++) {
      size.answered(size.calls);
      await clock.advance(5 * 60_000);
      size.answered(size.calls);
    }
    expect(changes).toEqual([3, 1, 2, 4, 8, 16, 32, 50]);
  });
});
