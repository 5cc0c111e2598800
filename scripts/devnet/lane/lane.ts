import { maxUint256, parseEther } from 'viem';
import type { PrivateKeyAccount } from 'viem/accounts';
import type { Common } from '../../../src/core/common.js';
import { createJsonRpc, type JsonRpc } from '../anvil/json-rpc.js';
import { type ContractLibrary, createContractLibrary } from './contracts.js';
import { createDeploymentPlan, type DeploymentPlan } from './deployment-plan.js';
import { type DevnetRole, devnetAccount } from './keys.js';
import { COMMITTEES, planContracts, planWiring } from './lane-contracts.js';
import type { ChainAddresses, ChainDeployment, DevnetChain, LaneDeployment } from './lane-deployment.js';

/** The two chains' ids and CCIP selectors: those that the public selector list gives to test chains 1337 and 31337. */
export const DEVNET_CHAINS = [
  { name: 'A', chainId: 1337, selector: 3_379_446_385_462_418_246n },
  { name: 'B', chainId: 31_337, selector: 7_759_470_850_252_068_959n },
] as const;

/** An account that never runs out of gas money. */
const BALANCE_WEI = parseEther('1000000000');

/** Fee tokens and tokens of the developer's account on each chain, in their smallest unit. */
const DEVELOPER_TOKENS = parseEther('1000000');

/** Dependencies of `deployLane`. */
export interface DeployLaneOptions {
  readonly common: Common;
  readonly chains: readonly [DevnetChain, DevnetChain];
  readonly library?: ContractLibrary;
}

interface Side {
  readonly chain: DevnetChain;
  readonly rpc: JsonRpc;
  readonly plan: DeploymentPlan;
}

/**
 * Deploys the real CCIP 2.0 contracts on two empty local chains and wires them into a lane in both directions. The
 * accounts of the sender and of the developer are left with fee tokens, tokens, and the router's leave to take both.
 * @throws DevnetPackageMissingError, DevnetTransactionError, JsonRpcError
 */
export async function deployLane(options: DeployLaneOptions): Promise<LaneDeployment> {
  const { common, library = createContractLibrary() } = options;
  const startedMs = common.clock.monotonicMs();
  const [a, b] = await Promise.all(
    options.chains.map((chain) => prepare(common, library, chain)) as [Promise<Side>, Promise<Side>],
  );
  const addressesA = planContracts(a.plan, a.chain, b.chain);
  const addressesB = planContracts(b.plan, b.chain, a.chain);
  planWiring(a.plan, addressesA, b.chain, addressesB);
  planWiring(b.plan, addressesB, a.chain, addressesA);
  const chains = await Promise.all([finish(common, library, a, addressesA), finish(common, library, b, addressesB)]);
  common.log.info({ tookMs: Math.round(common.clock.monotonicMs() - startedMs) }, 'lane deployed');
  return { version: 1, chains, committees: COMMITTEES };
}

/** True when both chains are the ones of `deployment`: false after a chain's state was lost or replaced. */
export async function isLaneDeployed(deployment: LaneDeployment, chains: readonly DevnetChain[]): Promise<boolean> {
  const found = await Promise.all(
    deployment.chains.map(async (deployed) => {
      const chain = chains.find((candidate) => candidate.chainId === deployed.chainId);
      if (!chain) return false;
      const code = await createJsonRpc(chain.url)('eth_getCode', [deployed.addresses.onRamp, 'latest']);
      return typeof code === 'string' && code.length > 2;
    }),
  );
  return found.every(Boolean);
}

async function prepare(common: Common, library: ContractLibrary, chain: DevnetChain): Promise<Side> {
  const rpc = createJsonRpc(chain.url);
  // An owner for each chain, so that no address means something on both and a mix-up of the two cannot go unseen.
  const owner: DevnetRole = `owner of ${chain.name}`;
  for (const role of [owner, 'sender', 'executor', 'developer'] as const)
    await rpc('anvil_setBalance', [devnetAccount(role).address, `0x${BALANCE_WEI.toString(16)}`]);
  return { chain, rpc, plan: await planOf(common, library, chain, rpc, devnetAccount(owner)) };
}

async function planOf(
  common: Common,
  library: ContractLibrary,
  chain: DevnetChain,
  rpc: JsonRpc,
  account: PrivateKeyAccount,
): Promise<DeploymentPlan> {
  return await createDeploymentPlan({ common, rpc, chainId: chain.chainId, account, library });
}

async function finish(
  common: Common,
  library: ContractLibrary,
  { chain, rpc, plan }: Side,
  addresses: ChainAddresses,
): Promise<ChainDeployment> {
  const startBlock = Number(await plan.run());
  const developer = devnetAccount('developer');
  for (const account of [devnetAccount('sender'), developer]) {
    const plan = await planOf(common, library, chain, rpc, account);
    for (const token of [addresses.feeToken, addresses.token]) {
      plan.call('cross_chain_token', token, 'approve', [addresses.router, maxUint256]);
      if (account !== developer)
        plan.call('cross_chain_token', token, 'transfer', [developer.address, DEVELOPER_TOKENS]);
    }
    await plan.run();
  }
  return { name: chain.name, chainId: chain.chainId, selector: chain.selector.toString(), startBlock, addresses };
}
