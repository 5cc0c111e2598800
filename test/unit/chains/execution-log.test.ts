import { encodeAbiParameters, parseAbiParameters } from 'viem';
import { describe, expect, it } from 'vitest';
import { EXECUTION_TOPIC, readExecutionLog } from '../../../src/chains/logs/execution-log.js';
import { encodeLogFilter, parseLogs, type RawLog } from '../../../src/chains/rpc/raw-log.js';
import type { Hex } from '../../../src/core/hex.js';
import { makeExecutionLog, word } from '../../support/chain/log-emitter.js';
import { OFF_RAMP, ON_RAMP } from '../../support/chain/watch.js';

const SELECTOR = 7759470850252068959n;
const ID: Hex = `0x${'12'.repeat(32)}`;
const TIME_MS = 1_700_000_000_000;

const raw = ({ topics, data }: { readonly topics: readonly Hex[]; readonly data: Hex }): RawLog => ({
  ...{ address: OFF_RAMP, topics, data: Buffer.from(data.slice(2), 'hex'), blockNumber: 7, logIndex: 3 },
  ...{ blockHash: word(7n), transactionHash: word(8n), blockTimestampMs: null },
});
const read = (log: { readonly topics: readonly Hex[]; readonly data: Hex }) =>
  readExecutionLog(raw(log), TIME_MS, SELECTOR);
const reasonOf = (log: { readonly topics: readonly Hex[]; readonly data: Hex }) => {
  const reading = read(log);
  return reading.kind === 'quarantine' ? reading.entry.reason : 'execution';
};

describe('reading an ExecutionStateChanged log', () => {
  const good = makeExecutionLog({ messageId: ID, sourceSelector: 2n ** 64n - 1n, messageNumber: 9n });
  const [topic0, source, number, id] = good.topics;

  it('takes the topic of the wire page', () => {
    expect(EXECUTION_TOPIC).toBe('0x8c324ce1367b83031769f6a813e3bb4c117aba2185789d66b98b791405be6df2');
  });

  it('takes every state, and the bytes of an error', () => {
    const states = ['untouched', 'in-progress', 'success', 'failure'];
    for (const [state, name] of states.entries()) {
      const log = makeExecutionLog({
        messageId: ID,
        state,
        sourceSelector: 2n ** 64n - 1n,
        returnData: '0x08c379a0ff',
      });
      expect(read(log)).toEqual({
        kind: 'execution',
        execution: {
          ...{ messageId: ID, sourceChainSelector: 2n ** 64n - 1n, destChainSelector: SELECTOR, messageNumber: 1n },
          ...{ offRamp: OFF_RAMP, state: name, returnData: new Uint8Array([0x08, 0xc3, 0x79, 0xa0, 0xff]) },
          place: {
            ...{ blockNumber: 7n, blockHash: word(7n), blockTimestampMs: TIME_MS },
            ...{ transactionHash: word(8n), logIndex: 3 },
          },
        },
      });
    }
  });

  it('promise 10: a bad one is quarantined with the first reason and its bytes', () => {
    expect(reasonOf({ ...good, topics: [topic0, source, number] })).toBe('topic_count');
    expect(reasonOf({ ...good, topics: [topic0, word(2n ** 64n), number, id] })).toBe('topic_value');
    expect(reasonOf({ ...good, topics: [topic0, source, word(2n ** 64n), id] })).toBe('topic_value');
    expect(reasonOf({ ...good, data: '0x' })).toBe('abi');
    expect(reasonOf({ ...good, data: good.data.slice(0, 2 + 64) as Hex })).toBe('abi');
    const lying = encodeAbiParameters(parseAbiParameters('uint8, uint256, uint256'), [2, 64n, 1n << 40n]);
    expect(reasonOf({ ...good, data: lying })).toBe('abi');
    const four = encodeAbiParameters(parseAbiParameters('uint256, bytes'), [4n, '0x']);
    expect(reasonOf({ ...good, data: four })).toBe('execution_state');
    const reading = read({ ...good, data: four });
    expect(reading).toMatchObject({ entry: { sourceId: `chain:${SELECTOR}:${OFF_RAMP}`, messageId: ID } });
    expect(String(reading.kind === 'quarantine' && Buffer.from(reading.entry.raw))).toContain(four);
  });
});

describe('a request for the logs of two events', () => {
  const filter = {
    ...{ address: ON_RAMP, topic0: word(1n), also: { address: [OFF_RAMP], topic0: EXECUTION_TOPIC } },
    blocks: { from: 5, to: 9 },
  };
  const logOf = (address: Hex, topic0: Hex) => ({
    ...{ address, topics: [topic0], data: '0x', blockNumber: '0x7', blockHash: word(7n), logIndex: '0x0' },
    transactionHash: word(8n),
  });

  it('asks for both at once, and takes each of its own contracts only', () => {
    expect(encodeLogFilter(filter)).toMatchObject({
      address: [ON_RAMP, OFF_RAMP],
      topics: [[word(1n), EXECUTION_TOPIC]],
    });
    expect(parseLogs([logOf(ON_RAMP, word(1n))], filter)).toHaveLength(1);
    expect(parseLogs([logOf(OFF_RAMP, EXECUTION_TOPIC)], filter)).toHaveLength(1);
    // the node was asked for them, and they mean nothing
    expect(parseLogs([logOf(ON_RAMP, EXECUTION_TOPIC), logOf(OFF_RAMP, word(1n))], filter)).toEqual([]);
    expect(() => parseLogs([logOf(ON_RAMP, word(2n))], filter)).toThrow('another event');
    expect(() => parseLogs([logOf(`0x${'ee'.repeat(20)}`, word(1n))], filter)).toThrow('is another');
  });
});
