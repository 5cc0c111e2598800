import { BaseError, decodeFunctionResult, encodeFunctionData, numberToHex, parseAbi } from 'viem';
import { bytesToHex, type Hex } from '../../core/hex.js';
import type { Execution } from '../../model/records.js';
import {
  decodeExecuteCall,
  EXECUTE_SELECTOR,
  type ExecuteCall,
  ExecuteCallError,
} from '../../protocol/execute-call.js';
import { computeMessageId } from '../../protocol/keccak.js';
import { MalformedAnswerError } from '../rpc/json-rpc-transport.js';
import { parseAddress, parseBytes, parseHash } from '../rpc/quantity.js';
import { RpcError, RpcRefusedError } from '../rpc/rpc-errors.js';
import type { RpcNode } from '../rpc/rpc-node.js';
import type { RpcPool } from '../rpc/rpc-pool.js';
import { executeCallsOf, TRACERS, type Tracer, traceParams } from './call-trace.js';

/** The call that led to an execution, or the reason why it is not known. */
export type CallAnswer =
  | { readonly kind: 'call'; readonly call: ExecuteCall }
  /** `passing`: another attempt may find it. */
  | { readonly kind: 'none'; readonly reason: NoCallReason; readonly passing: boolean };

/**
 * - `rpc_failed`: no node answered · `transaction_missing`: no node has the transaction in that block
 * - `indirect`: a contract made the call, and calls are not traced · `not_traced`: no node traces transactions
 * - `no_call`: the transaction has no call that fits · `ambiguous`: it has several, with other proofs
 * - `unproved`: which proofs the contract looked at is not known, because no node has the state of that block
 */
export type NoCallReason =
  | 'rpc_failed'
  | 'transaction_missing'
  | 'indirect'
  | 'not_traced'
  | 'no_call'
  | 'ambiguous'
  | 'unproved';

/** The calls of `execute` on one chain. */
export interface ExecuteCalls {
  /**
   * The call behind a successful execution, with those proofs alone that the contract looked at and accepted: a caller
   * may add others. A success with one proof needs that one; of several, the contract is asked which it requires.
   */
  find(execution: Execution, signal: AbortSignal): Promise<CallAnswer>;
  /** CCVs that the owner of an OffRamp set for all messages from a source chain. @throws RpcError */
  laneCCVs(offRamp: Hex, sourceChainSelector: bigint, signal: AbortSignal): Promise<readonly Hex[]>;
}

const ABI = parseAbi([
  'function getCCVsForMessage(bytes message) view returns (address[] required, address[] optional, uint8 threshold)',
  'struct Lane { address router; bool isEnabled; bytes[] onRamps; address[] defaultCCVs; address[] laneMandatedCCVs; }',
  'function getSourceChainConfig(uint64 sourceChainSelector) view returns (Lane)',
]);
/** "There is no such method", by JSON-RPC. */
const METHOD_NOT_FOUND = -32601;

type Transaction = { readonly to: Hex | null; readonly input: Uint8Array };

/**
 * Reads calls from the nodes of `rpc`, one after the other, and holds nothing against a node: many do not keep old
 * transactions, or trace none. A node that has no method to trace is not asked for it again.
 */
export function createExecuteCalls({ rpc, traces }: { readonly rpc: RpcPool; readonly traces: boolean }): ExecuteCalls {
  const refused = new Map<number, Set<Tracer>>();

  /** The first answer that is one; null when no node has one. `failed`: a node could not be asked. */
  async function ask<T>(question: (node: RpcNode) => Promise<T | null>, signal: AbortSignal) {
    let failed = false;
    const nodes = rpc.reachable(signal);
    for (const node of nodes) {
      try {
        const answer = await question(node);
        if (answer !== null) return { answer, failed };
      } catch (thrown) {
        if (!(thrown instanceof RpcError) && !(thrown instanceof MalformedAnswerError)) throw thrown;
        failed ||= !(thrown instanceof RpcRefusedError);
      }
    }
    return { answer: null, failed: failed || nodes.length === 0 };
  }

  async function trace(node: RpcNode, { offRamp, place }: Execution): Promise<readonly Uint8Array[] | null> {
    const without = refused.get(node.index) ?? new Set();
    refused.set(node.index, without);
    for (const tracer of TRACERS) {
      if (without.has(tracer)) continue;
      try {
        const answer = await node.call({ method: tracer, params: traceParams(tracer, place.transactionHash) });
        if (answer !== null) return executeCallsOf(tracer, answer, offRamp);
      } catch (thrown) {
        if (!(thrown instanceof RpcRefusedError)) throw thrown;
        if (thrown.rpcCode === METHOD_NOT_FOUND) without.add(tracer);
      }
    }
    return null;
  }

  async function required(execution: Execution, call: ExecuteCall, signal: AbortSignal): Promise<CallAnswer> {
    const encodedMessage = bytesToHex(call.encodedMessage);
    const data = encodeFunctionData({ abi: ABI, functionName: 'getCCVsForMessage', args: [encodedMessage] });
    const block = numberToHex(execution.place.blockNumber);
    const { answer, failed } = await ask(async (node) => {
      const result = await node.call({ method: 'eth_call', params: [{ to: execution.offRamp, data }, block] });
      return decoded(() => decodeFunctionResult({ abi: ABI, functionName: 'getCCVsForMessage', data: result as Hex }));
    }, signal);
    if (answer === null) return none(failed ? 'rpc_failed' : 'unproved', failed);
    const [always, optional, threshold] = answer;
    return { kind: 'call', call: { ...call, proofs: acceptedOf(call.proofs, { always, optional, threshold }) } };
  }

  async function calldatas(execution: Execution, signal: AbortSignal): Promise<readonly Uint8Array[] | NoCallReason> {
    const { offRamp, place } = execution;
    const sent = await ask(async (node) => {
      const params = [place.transactionHash];
      return transactionOf(await node.call({ method: 'eth_getTransactionByHash', params }), place.blockHash);
    }, signal);
    if (sent.answer === null) return sent.failed ? 'rpc_failed' : 'transaction_missing';
    if (sent.answer.to === offRamp) return [sent.answer.input];
    if (!traces) return 'indirect';
    const traced = await ask((node) => trace(node, execution), signal);
    return traced.answer ?? (traced.failed ? 'rpc_failed' : 'not_traced');
  }

  return {
    async find(execution, signal) {
      const inputs = await calldatas(execution, signal);
      if (typeof inputs === 'string') return none(inputs, inputs === 'rpc_failed' || inputs === 'transaction_missing');
      const [call, ...others] = inputs.flatMap((input) => callFor(input, execution.messageId));
      if (!call) return none('no_call', false);
      if (others.some((other) => proofsText(other) !== proofsText(call))) return none('ambiguous', false);
      return call.proofs.length === 1 ? { kind: 'call', call } : await required(execution, call, signal);
    },

    async laneCCVs(offRamp, sourceChainSelector, signal) {
      const args = [sourceChainSelector] as const;
      const data = encodeFunctionData({ abi: ABI, functionName: 'getSourceChainConfig', args });
      return await rpc.withNode(async (node) => {
        const result = await node.call({ method: 'eth_call', params: [{ to: offRamp, data }, 'latest'] });
        const config = decoded(() =>
          decodeFunctionResult({ abi: ABI, functionName: 'getSourceChainConfig', data: result as Hex }),
        );
        if (config === null) throw node.invalid('the configuration of the OffRamp does not decode');
        return [...config.defaultCCVs, ...config.laneMandatedCCVs].map((ccv) => ccv.toLowerCase() as Hex);
      }, signal);
    },
  };
}

function none(reason: NoCallReason, passing: boolean): CallAnswer {
  return { kind: 'none', reason, passing };
}

/** Null for bytes that do not decode, as of a node that has no contract there. */
function decoded<T>(decode: () => T): T | null {
  try {
    return decode();
  } catch (thrown) {
    if (thrown instanceof BaseError) return null;
    throw thrown;
  }
}

/** Null when the node does not have it, or has it in another block. */
function transactionOf(result: unknown, blockHash: Hex): Transaction | null {
  if (typeof result !== 'object' || result === null) return null;
  const { to, input, blockHash: minedIn } = result as Readonly<Record<string, unknown>>;
  if (minedIn === null || parseHash(minedIn, 'blockHash of a transaction') !== blockHash) return null;
  return {
    to: to === null || to === undefined ? null : parseAddress(to, 'to of a transaction'),
    input: parseBytes(input, 'input of a transaction'),
  };
}

/** The call, when it is one for that message. */
function callFor(input: Uint8Array, messageId: Hex): readonly ExecuteCall[] {
  if (!bytesToHex(input.subarray(0, 4)).startsWith(EXECUTE_SELECTOR)) return [];
  try {
    const call = decodeExecuteCall(input);
    return computeMessageId(call.encodedMessage) === messageId ? [call] : [];
  } catch (thrown) {
    if (thrown instanceof ExecuteCallError) return [];
    throw thrown;
  }
}

function proofsText({ proofs }: ExecuteCall): string {
  return proofs.map(({ ccv, ccvData }) => `${ccv}${bytesToHex(ccvData)}`).join();
}

/**
 * The proofs that `OffRamp._ensureCCVQuorumIsReached` chooses: of each required CCV the first, then those of optional
 * CCVs in the receiver's order until the threshold is reached.
 */
function acceptedOf(
  proofs: ExecuteCall['proofs'],
  asked: { readonly always: readonly Hex[]; readonly optional: readonly Hex[]; readonly threshold: number },
): ExecuteCall['proofs'] {
  const proofOf = (ccv: Hex) => proofs.filter((proof) => proof.ccv === ccv.toLowerCase()).slice(0, 1);
  const optional = asked.optional.flatMap(proofOf).slice(0, asked.threshold);
  return [...new Set([...asked.always.flatMap(proofOf), ...optional])];
}
