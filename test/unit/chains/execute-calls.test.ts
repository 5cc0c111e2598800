import { encodeFunctionData, encodeFunctionResult, parseAbi } from 'viem';
import { describe, expect, it } from 'vitest';
import { createExecuteCalls } from '../../../src/chains/calls/execute-calls.js';
import type { JsonRpcCall } from '../../../src/chains/rpc/json-rpc-transport.js';
import { RpcRefusedError, RpcTimeoutError } from '../../../src/chains/rpc/rpc-errors.js';
import type { RpcNode } from '../../../src/chains/rpc/rpc-node.js';
import type { RpcPool } from '../../../src/chains/rpc/rpc-pool.js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import type { Execution } from '../../../src/model/records.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import { encodeMessage } from '../../../src/protocol/message-codec.js';
import { makeMessageLog, word } from '../../support/chain/log-emitter.js';
import { OFF_RAMP, SOURCE } from '../../support/chain/watch.js';

const { signal } = new AbortController();
const ABI = parseAbi([
  'function execute(bytes message, address[] ccvs, bytes[] results, uint32 gasLimitOverride)',
  'function getCCVsForMessage(bytes message) view returns (address[], address[], uint8)',
]);
const [A, B, C]: Hex[] = [1, 2, 3].map((byte) => `0x${`0${byte}`.repeat(20)}` as Hex);
const FORWARDER: Hex = `0x${'f0'.repeat(20)}`;
const encoded = encodeMessage(makeMessageLog(SOURCE, 1).message);
const execution: Execution = {
  messageId: computeMessageId(encoded),
  ...{ sourceChainSelector: 1n, destChainSelector: 2n, messageNumber: 1n, offRamp: OFF_RAMP, state: 'success' },
  returnData: new Uint8Array(),
  place: {
    ...{ blockNumber: 9n, blockHash: word(9n), blockTimestampMs: 5_000, transactionHash: word(10n), logIndex: 0 },
  },
};

const executeCall = (proofs: readonly (readonly [Hex, Hex])[], message = bytesToHex(encoded)) => {
  const [ccvs, results] = [proofs.map(([ccv]) => ccv), proofs.map(([, data]) => data)];
  return encodeFunctionData({ abi: ABI, functionName: 'execute', args: [message, ccvs, results, 0] });
};
const requires = (required: Hex[], optional: Hex[] = [], threshold = 0) =>
  encodeFunctionResult({ abi: ABI, functionName: 'getCCVsForMessage', result: [required, optional, threshold] });

type Answers = Readonly<Record<string, unknown>>;

/** Nodes with these answers by method; a number is the code of a refusal, and without one a node does not answer. */
function pool(...nodes: readonly Answers[]) {
  const asked: string[] = [];
  const reachable = nodes.map((answers, index): RpcNode => {
    const call = async ({ method }: JsonRpcCall) => {
      asked.push(`${index} ${method}`);
      const answer = answers[method];
      if (answer === undefined) throw new RpcTimeoutError({ chain: 'a', url: index }, 5);
      if (typeof answer !== 'number') return answer;
      throw new RpcRefusedError({ chain: 'a', url: index }, method, { code: answer, message: 'no', data: undefined });
    };
    return { index, call } as unknown as RpcNode;
  });
  return { asked, rpc: { reachable: () => reachable } as unknown as RpcPool };
}

const sent = (to: Hex, input: Hex, blockHash: Hex | null = word(9n)) => ({ to, input, blockHash });
const find = (nodes: readonly Answers[], traces = false) =>
  createExecuteCalls({ rpc: pool(...nodes).rpc, traces }).find(execution, signal);
const proofsOf = async (nodes: readonly Answers[], traces = false) => {
  const answer = await find(nodes, traces);
  return answer.kind === 'call' ? answer.call.proofs.map(({ ccv, ccvData }) => [ccv, bytesToHex(ccvData)]) : answer;
};

describe('the call behind an execution', () => {
  const direct = sent(OFF_RAMP, executeCall([[A!, '0xaa']]));

  it('is that of its transaction, from the first node that has it in that block', async () => {
    const elsewhere = { eth_getTransactionByHash: { ...direct, blockHash: word(8n) } };
    for (const before of [{}, { eth_getTransactionByHash: null }, elsewhere, { eth_getTransactionByHash: 'nonsense' }])
      expect(await proofsOf([before, { eth_getTransactionByHash: direct }])).toEqual([[A, '0xaa']]);
    const gone = { kind: 'none', reason: 'transaction_missing', passing: true };
    expect(await find([{ eth_getTransactionByHash: null }, elsewhere])).toEqual(gone);
    expect(await find([{}, elsewhere])).toEqual({ ...gone, reason: 'rpc_failed' });
    expect(await find([])).toEqual({ ...gone, reason: 'rpc_failed' });
  });

  it('is of the message whose id is in the log', async () => {
    const other = sent(OFF_RAMP, executeCall([[A!, '0xaa']], '0x0102'));
    for (const transaction of [other, sent(OFF_RAMP, '0x'), sent(OFF_RAMP, '0x3b81ab9bff')])
      expect(await find([{ eth_getTransactionByHash: transaction }])).toMatchObject({
        reason: 'no_call',
        passing: false,
      });
  });

  it('has the proofs alone that the contract looked at', async () => {
    const input = executeCall([
      [C!, '0xc1'],
      [A!, '0xaa'],
      [A!, '0xbad0'],
      [B!, '0xbb'],
    ]);
    const eth_getTransactionByHash = sent(OFF_RAMP, input);
    const proofs = async (result: Hex) => await proofsOf([{ eth_getTransactionByHash, eth_call: result }]);
    expect(await proofs(requires([A!]))).toEqual([[A, '0xaa']]);
    expect(await proofs(requires([A!], [B!, C!], 1))).toEqual([
      [A, '0xaa'],
      [B, '0xbb'],
    ]);
    const without = { kind: 'none', reason: 'unproved', passing: false };
    expect(await find([{ eth_getTransactionByHash, eth_call: -32000 }])).toEqual(without);
    expect(await find([{ eth_getTransactionByHash, eth_call: '0x' }])).toEqual(without);
  });

  const through = sent(FORWARDER, '0x1234');
  const input = executeCall([[B!, '0xbb']]);
  const failed = executeCall([[B!, '0xdead']]);
  /** The first attempt was undone, inside a call that was undone itself. */
  const nested = {
    ...{ type: 'CALL', to: FORWARDER, input: '0x1234' },
    calls: [
      { type: 'CALL', to: FORWARDER, error: 'reverted', calls: [{ type: 'CALL', to: OFF_RAMP, input: failed }] },
      { type: 'DELEGATECALL', to: OFF_RAMP, input: failed },
      { type: 'CALL', to: OFF_RAMP.toUpperCase().replace('0X', '0x'), input },
    ],
  };
  const flat = [
    { type: 'call', traceAddress: [], action: { callType: 'call', to: FORWARDER, input: '0x1234' } },
    { type: 'call', traceAddress: [0], error: 'Reverted', action: { callType: 'call', to: FORWARDER, input: '0x' } },
    { type: 'call', traceAddress: [0, 0], action: { callType: 'call', to: OFF_RAMP, input: failed } },
    { type: 'call', traceAddress: [1], action: { callType: 'call', to: OFF_RAMP, input } },
  ];

  it('is found by tracing when a contract made it, and only where that is wanted', async () => {
    const node = { eth_getTransactionByHash: through };
    expect(await find([{ ...node, debug_traceTransaction: nested }])).toMatchObject({
      reason: 'indirect',
      passing: false,
    });
    expect(await proofsOf([{ ...node, debug_traceTransaction: nested }], true)).toEqual([[B, '0xbb']]);
    expect(await proofsOf([{ ...node, debug_traceTransaction: -32601, trace_transaction: flat }], true)).toEqual([
      [B, '0xbb'],
    ]);
    const twice = { ...nested, calls: [...nested.calls, { type: 'CALL', to: OFF_RAMP, input: failed }] };
    expect(await find([{ ...node, debug_traceTransaction: twice }], true)).toMatchObject({ reason: 'ambiguous' });
  });

  it('asks a node once for a way to trace that it does not have', async () => {
    const node = { eth_getTransactionByHash: through, debug_traceTransaction: -32601, trace_transaction: -32601 };
    const { rpc, asked } = pool(node);
    const calls = createExecuteCalls({ rpc, traces: true });
    for (let time = 0; time < 3; time++)
      expect(await calls.find(execution, signal)).toMatchObject({ reason: 'not_traced', passing: false });
    expect(asked.filter((call) => call.includes('trace'))).toEqual(['0 debug_traceTransaction', '0 trace_transaction']);
  });
});
