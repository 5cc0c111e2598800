import { type Abi, encodeDeployData, encodeFunctionData, getContractAddress } from 'viem';
import type { PrivateKeyAccount } from 'viem/accounts';
import type { Common } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { DevnetTransactionError } from '../anvil/devnet-errors.js';
import type { JsonRpc } from '../anvil/json-rpc.js';
import type { ContractArtifact, ContractLibrary, ContractName } from './contracts.js';

/**
 * Transactions of one account, planned first and sent together afterwards. Addresses of contracts are known when they
 * are planned, since they follow from the account and its nonce: two chains can refer to each other's contracts before
 * either exists, and a whole lane takes as few blocks as its gas needs.
 */
export interface DeploymentPlan {
  /** The sender, who owns the contracts. */
  readonly account: Hex;
  /** Plans a deployment and tells the address (lower case) that it will have. */
  deploy(name: ContractName, args?: readonly unknown[]): Hex;
  /** Plans a call of `functionName` of the contract `name` at `address`. */
  call(name: ContractName, address: Hex, functionName: string, args: readonly unknown[]): void;
  /**
   * Sends everything, mines, and resolves to the height of the last block that was needed.
   * @throws DevnetTransactionError naming the first step that reverted, with the return data of the contract.
   */
  run(): Promise<bigint>;
}

/** Dependencies of a plan. */
export interface DeploymentPlanOptions {
  readonly common: Common;
  readonly rpc: JsonRpc;
  readonly chainId: number;
  readonly account: PrivateKeyAccount;
  readonly library: ContractLibrary;
}

interface Step {
  readonly label: string;
  readonly to: Hex | null;
  readonly data: Hex;
  readonly abi: Abi;
}

const STEP_GAS = 9_000_000n;
const MAX_FEE_WEI = 100n * 10n ** 9n;
const MINE_ATTEMPTS = 20;

/** Starts an empty plan at the account's current nonce. */
export async function createDeploymentPlan(options: DeploymentPlanOptions): Promise<DeploymentPlan> {
  const { account, library, rpc } = options;
  const firstNonce = Number(await rpc('eth_getTransactionCount', [account.address, 'pending']));
  const steps: Step[] = [];
  return {
    account: account.address,
    deploy(name, args = []) {
      const artifact: ContractArtifact = library.artifact(name);
      const nonce = BigInt(firstNonce + steps.length);
      steps.push({
        label: `deploy ${name}`,
        to: null,
        data: encodeDeployData({ ...artifact, args }),
        abi: artifact.abi,
      });
      return getContractAddress({ from: account.address, nonce }).toLowerCase() as Hex;
    },
    call(name, address, functionName, args) {
      const { abi } = library.artifact(name);
      steps.push({
        label: `${name}.${functionName}`,
        to: address,
        data: encodeFunctionData({ abi, functionName, args }),
        abi,
      });
    },
    run: () => runSteps(options, steps, firstNonce),
  };
}

async function runSteps(options: DeploymentPlanOptions, steps: readonly Step[], firstNonce: number): Promise<bigint> {
  const { rpc, account, chainId } = options;
  const hashes: Hex[] = [];
  for (const [index, step] of steps.entries()) {
    const raw = await account.signTransaction({
      type: 'eip1559',
      chainId,
      nonce: firstNonce + index,
      gas: STEP_GAS,
      maxFeePerGas: MAX_FEE_WEI,
      maxPriorityFeePerGas: 1n,
      data: step.data,
      ...(step.to === null ? {} : { to: step.to }),
    });
    hashes.push((await rpc('eth_sendRawTransaction', [raw])) as Hex);
  }
  let height = 0n;
  for (const [index, hash] of hashes.entries()) {
    const receipt = await minedReceipt(rpc, hash);
    if (receipt.status !== '0x1') throw await revertOf(options, steps[index], receipt);
    height = BigInt(receipt.blockNumber);
  }
  return height;
}

interface Receipt {
  readonly status: Hex;
  readonly blockNumber: Hex;
}

/** Mines when the node does not do so by itself quickly enough: a plan never waits for a block interval. */
async function minedReceipt(rpc: JsonRpc, hash: Hex): Promise<Receipt> {
  for (let attempt = 0; attempt < MINE_ATTEMPTS; attempt += 1) {
    const receipt = (await rpc('eth_getTransactionReceipt', [hash])) as Receipt | null;
    if (receipt) return receipt;
    await rpc('evm_mine');
  }
  throw new DevnetTransactionError('a transaction of the deployment was not mined', { details: { hash } });
}

/** Replays a reverted step on the block before it to learn the reason. */
async function revertOf(options: DeploymentPlanOptions, step: Step | undefined, receipt: Receipt): Promise<Error> {
  const call = { from: options.account.address, data: step?.data, ...(step?.to ? { to: step.to } : {}) };
  const before = `0x${(BigInt(receipt.blockNumber) - 1n).toString(16)}`;
  let cause: unknown;
  try {
    await options.rpc('eth_call', [call, before]);
  } catch (thrown) {
    cause = thrown;
  }
  return new DevnetTransactionError(`${step?.label} reverted`, { cause, details: { to: step?.to, ...receipt } });
}
