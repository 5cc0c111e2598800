import { type Abi, decodeFunctionResult, encodeFunctionData } from 'viem';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import type { JsonRpc } from '../anvil/json-rpc.js';
import type { AccountSender } from './account-sender.js';
import type { ContractLibrary } from './contracts.js';
import { decodeExecutionLog, EXECUTION_STATES, type ExecutionState } from './events.js';

/** A message with everything that its destination asks for. */
export interface Execution {
  readonly messageId: Hex;
  readonly encodedMessage: Uint8Array;
  /** The gas limit of the message. */
  readonly executionGasLimit: number;
  /** Addresses on the destination chain. */
  readonly destCcvs: readonly Hex[];
  /** `ccv_data` of each, in the same order. */
  readonly verifierResults: readonly Hex[];
}

/** Outcome of an attempt. */
export interface ExecutionOutcome {
  readonly state: ExecutionState;
  /** Return data of the failed step, `0x` without any; null when the whole transaction reverted. */
  readonly returnData: Hex | null;
  readonly transactionHash: Hex;
  readonly blockNumber: bigint;
}

/** The OffRamp of one chain. */
export interface OffRamp {
  /** Where a message stands now. */
  stateOf(messageId: Hex): Promise<ExecutionState>;
  /** Sends `execute` and resolves once it is in a block, whatever came of it. */
  execute(execution: Execution): Promise<ExecutionOutcome>;
}

/** Verifying, the token, and the bookkeeping around the receiver. */
const BASE_GAS = 1_500_000n;
/** A byte of calldata (EIP-7623 at most 40), and its copies in memory. */
const GAS_PER_BYTE = 120n;

/** A client of the OffRamp at `address`; `sender` pays for executions. */
export function createOffRamp(options: {
  readonly rpc: JsonRpc;
  readonly address: Hex;
  readonly sender: AccountSender;
  readonly library: ContractLibrary;
}): OffRamp {
  const { rpc, address, sender } = options;
  const abi: Abi = options.library.artifact('offramp').abi;

  async function stateOf(messageId: Hex): Promise<ExecutionState> {
    const data = encodeFunctionData({ abi, functionName: 'getExecutionState', args: [messageId] });
    const answer = (await rpc('eth_call', [{ to: address, data }, 'latest'])) as Hex;
    const state = decodeFunctionResult({ abi, functionName: 'getExecutionState', data: answer });
    return EXECUTION_STATES[Number(state)] ?? 'UNTOUCHED';
  }

  return {
    stateOf,
    async execute(execution) {
      const { encodedMessage, destCcvs, verifierResults, executionGasLimit } = execution;
      const args = [bytesToHex(encodedMessage), destCcvs, verifierResults, 0];
      const mined = await sender.send({
        to: address,
        data: encodeFunctionData({ abi, functionName: 'execute', args }),
        gas: BASE_GAS + 2n * BigInt(executionGasLimit) + GAS_PER_BYTE * BigInt(encodedMessage.length),
      });
      const seen = mined.logs
        .filter((log) => log.address === address)
        .map((log) => decodeExecutionLog(log))
        .find((log) => log?.messageId === execution.messageId);
      const facts = { transactionHash: mined.hash, blockNumber: mined.blockNumber };
      if (seen) return { ...facts, state: seen.state, returnData: seen.returnData };
      return { ...facts, state: await stateOf(execution.messageId), returnData: null };
    },
  };
}
