import { encodeFunctionData, zeroAddress } from 'viem';
import { startAnvil } from '../../../scripts/devnet/anvil/anvil.js';
import { createJsonRpc, JsonRpcError } from '../../../scripts/devnet/anvil/json-rpc.js';
import { type ContractName, createContractLibrary } from '../../../scripts/devnet/lane/contracts.js';
import { createDeploymentPlan, type DeploymentPlan } from '../../../scripts/devnet/lane/deployment-plan.js';
import { devnetAccount } from '../../../scripts/devnet/lane/keys.js';
import { createCommon } from '../../../src/core/common.js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';

/** Whose signatures a verifier takes. */
export interface Quorum {
  readonly signers: readonly Hex[];
  readonly threshold: number;
}

/** A destination chain with the real contracts of CCVs, as the OffRamp meets them. */
export interface CommitteeChain {
  readonly url: string;
  readonly chainId: number;
  /** Plans and runs changes of contracts, as their owner. */
  change(plan: (plan: DeploymentPlan) => void): Promise<void>;
  /** Deploys a verifier with a tag, without signers. */
  deployVerifier(tag: Hex): Promise<Hex>;
  /** Deploys a resolver with these verifiers by tag, and the proxy before it that messages name. */
  deployResolver(verifiers: Readonly<Record<Hex, Hex>>): Promise<{ readonly proxy: Hex; readonly resolver: Hex }>;
  setQuorum(verifier: Hex, sourceChainSelector: bigint, quorum: Quorum | null): Promise<void>;
  /** Whether the contracts take a proof, called as the OffRamp calls them. */
  accepts(proof: {
    readonly resolver: Hex;
    readonly sourceChainSelector: bigint;
    readonly messageId: Hex;
    readonly ccvData: Uint8Array;
  }): Promise<boolean>;
  stop(): Promise<void>;
}

const EMPTY_HASH: Hex = `0x${'00'.repeat(32)}`;

export async function startCommitteeChain(chainId = 31_337): Promise<CommitteeChain> {
  const common = createCommon();
  const anvil = await startAnvil({ common, chainId, slotsInAnEpoch: 1, mining: 'manual' });
  const rpc = createJsonRpc(anvil.url);
  const library = createContractLibrary();
  const account = devnetAccount('owner of B');
  await rpc('anvil_setBalance', [account.address, '0xffffffffffffffffffffff']);

  async function change<T>(planned: (plan: DeploymentPlan) => T): Promise<T> {
    const plan = await createDeploymentPlan({ common, rpc, chainId, account, library });
    const result = planned(plan);
    await plan.run();
    return result;
  }

  /** Null: the contract reverts. */
  async function view(name: ContractName, to: Hex, functionName: string, args: readonly unknown[]) {
    const data = encodeFunctionData({ abi: library.artifact(name).abi, functionName, args });
    try {
      return (await rpc('eth_call', [{ to, data }, 'latest'])) as Hex;
    } catch (thrown) {
      if (thrown instanceof JsonRpcError && !thrown.retryable) return null;
      throw thrown;
    }
  }

  const rmn = await change((plan) => plan.deploy('rmn_proxy_contract', [plan.deploy('rmn', [[plan.account]])]));
  return {
    url: anvil.url,
    chainId,
    change,
    deployVerifier: (tag) =>
      change((plan) => {
        const config = { feeAggregator: plan.account, allowlistAdmin: zeroAddress };
        return plan.deploy('committee_verifier', [config, ['test'], rmn, tag]);
      }),
    deployResolver: (verifiers) =>
      change((plan) => {
        const resolver = plan.deploy('versioned_verifier_resolver');
        const updates = Object.entries(verifiers).map(([version, verifier]) => ({ version, verifier }));
        plan.call('versioned_verifier_resolver', resolver, 'applyInboundImplementationUpdates', [updates]);
        return { resolver, proxy: plan.deploy('proxy', [resolver, plan.account]) };
      }),
    setQuorum: (verifier, sourceChainSelector, quorum) =>
      change((plan) => {
        const args = quorum ? [[], [{ sourceChainSelector, ...quorum }]] : [[sourceChainSelector], []];
        plan.call('committee_verifier', verifier, 'applySignatureConfigs', args);
      }),
    async accepts({ resolver, sourceChainSelector, messageId, ccvData }) {
      const proof = bytesToHex(ccvData);
      const found = await view('versioned_verifier_resolver', resolver, 'getInboundImplementation', [proof]);
      // a word whose last 20 bytes are the address; no code answers with nothing, of which Solidity makes a revert
      if (found === null || found === '0x' || BigInt(found) === 0n) return false;
      const verifier: Hex = `0x${found.slice(-40)}`;
      const message = {
        ...{ sourceChainSelector, destChainSelector: 1n, messageNumber: 1n, executionGasLimit: 0 },
        ...{ ccipReceiveGasLimit: 0, finality: '0x00000000', ccvAndExecutorHash: EMPTY_HASH, onRampAddress: '0x' },
        ...{ offRampAddress: '0x', sender: '0x', receiver: '0x', destBlob: '0x', tokenTransfer: [], data: '0x' },
      };
      return (await view('committee_verifier', verifier, 'verifyMessage', [message, messageId, proof])) !== null;
    },
    stop: () => anvil.stop(),
  };
}
