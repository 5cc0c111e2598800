import { maxUint256, pad, parseEther, zeroAddress } from 'viem';
import type { PrivateKeyAccount } from 'viem/accounts';
import type { Common } from '../core/common.js';
import type { Hex } from '../core/hex.js';
import { type ContractLibrary, createContractLibrary } from './contracts.js';
import { createDeploymentPlan, type DeploymentPlan } from './deployment-plan.js';
import { createJsonRpc, type JsonRpc } from './json-rpc.js';
import { type DevnetRole, devnetAccount } from './keys.js';
import type {
  ChainAddresses,
  ChainDeployment,
  CommitteeDeployment,
  DevnetChain,
  LaneDeployment,
} from './lane-deployment.js';

/** The two chains' ids and CCIP selectors: those that the public selector list gives to test chains 1337 and 2337. */
export const DEVNET_CHAINS = [
  { name: 'A', chainId: 1337, selector: 3_379_446_385_462_418_246n },
  { name: 'B', chainId: 2337, selector: 12_922_642_891_491_394_802n },
] as const;

/** The default CCV: two of three must sign. Its tag is that of the contract, `CommitteeVerifier 2.0.0`. */
const FIRST_COMMITTEE = committee('first', '0xe9a05a20', 2, 3);
/** The CCV that a message may ask for besides: one of one. */
const SECOND_COMMITTEE = committee('second', '0x49ff34ed', 1, 1);
const COMMITTEES = [FIRST_COMMITTEE, SECOND_COMMITTEE];

/** Allowed finality of contracts: the safe flag, and any depth from one block up. */
const ANY_FINALITY = '0x00010001';
const EVM_FAMILY = '0x2812d52c';
const USD = 10n ** 18n;
const SUPPLY = parseEther('1000000000000');
/** An account that never runs out of gas money. */
const BALANCE_WEI = parseEther('1000000000');
/** Largest payload that the lane takes, in bytes. */
export const MAX_DATA_BYTES = 30_000;

function committee(name: string, versionTag: Hex, threshold: number, size: number): CommitteeDeployment {
  const numbers = Array.from({ length: size }, (_, index) => index + 1);
  const signers = numbers.map((n) => devnetAccount(`committee ${name} signer ${n}`).address.toLowerCase() as Hex);
  return { name, versionTag, threshold, signers };
}

/** What `deployLane` works with. */
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
 * sender's account is left with fee tokens, tokens, and the router's leave to take both.
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
  for (const role of [owner, 'sender', 'executor'] as const)
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
  const approvals = await planOf(common, library, chain, rpc, devnetAccount('sender'));
  for (const token of [addresses.feeToken, addresses.token])
    approvals.call('cross_chain_token', token, 'approve', [addresses.router, maxUint256]);
  await approvals.run();
  return { name: chain.name, chainId: chain.chainId, selector: chain.selector.toString(), startBlock, addresses };
}

function planContracts(plan: DeploymentPlan, self: DevnetChain, remote: DevnetChain): ChainAddresses {
  const rmnProxy = plan.deploy('rmn_proxy_contract', [plan.deploy('rmn', [[plan.account]])]);
  const weth = planToken(plan, 'WETH');
  const feeToken = planToken(plan, 'LINK');
  const token = planToken(plan, 'TEST');
  const router = plan.deploy('router', [weth, rmnProxy]);
  const tokenAdminRegistry = plan.deploy('token_admin_registry');
  const feeQuoter = planFeeQuoter(plan, remote, feeToken, weth);
  const executor = planExecutor(plan, remote);
  const ccvs = Object.fromEntries(
    COMMITTEES.map((member) => [member.name, planCommittee(plan, member, remote, router, rmnProxy)]),
  );
  const onRamp = plan.deploy('onramp', [
    { chainSelector: self.selector, rmnRemote: rmnProxy, maxUSDCentsPerMessage: 100_000, tokenAdminRegistry },
    { feeQuoter, reentrancyGuardEntered: false, feeAggregator: plan.account },
  ]);
  const offRamp = plan.deploy('offramp', [
    {
      localChainSelector: self.selector,
      gasForCallExactCheck: 5_000,
      rmnRemote: rmnProxy,
      tokenAdminRegistry,
      maxGasBufferToUpdateState: 12_000,
    },
  ]);
  const pool = planPool(plan, token, tokenAdminRegistry, rmnProxy, router);
  return {
    router,
    onRamp,
    offRamp,
    executor,
    feeToken,
    token,
    pool,
    ccvs,
    ...planReceivers(plan, Object.values(ccvs)),
  };
}

function planToken(plan: DeploymentPlan, symbol: string): Hex {
  const preMintRecipient = devnetAccount('sender').address;
  const args = {
    name: symbol,
    symbol,
    maxSupply: 0n,
    preMint: SUPPLY,
    preMintRecipient,
    decimals: 18,
    ccipAdmin: plan.account,
  };
  return plan.deploy('cross_chain_token', [args, plan.account, plan.account]);
}

function planFeeQuoter(plan: DeploymentPlan, remote: DevnetChain, linkToken: Hex, weth: Hex): Hex {
  const destChainConfig = {
    isEnabled: true,
    maxDataBytes: MAX_DATA_BYTES,
    maxPerMsgGasLimit: 8_000_000,
    destGasOverhead: 100_000,
    destGasPerPayloadByteBase: 16,
    chainFamilySelector: EVM_FAMILY,
    defaultTokenFeeUSDCents: 50,
    defaultTokenDestGasOverhead: 90_000,
    defaultTxGasLimit: 200_000,
    networkFeeUSDCents: 10,
    linkFeeMultiplierPercent: 90,
  };
  const feeQuoter = plan.deploy('fee_quoter', [
    { maxFeeJuelsPerMsg: parseEther('1000'), linkToken },
    [plan.account],
    [],
    [{ destChainSelector: remote.selector, destChainConfig }],
  ]);
  const tokenPriceUpdates = [
    { sourceToken: linkToken, usdPerToken: 20n * USD },
    { sourceToken: weth, usdPerToken: 3_500n * USD },
  ];
  const gasPriceUpdates = [{ destChainSelector: remote.selector, usdPerUnitGas: 10n ** 12n }];
  plan.call('fee_quoter', feeQuoter, 'updatePrices', [{ tokenPriceUpdates, gasPriceUpdates }]);
  return feeQuoter;
}

function planExecutor(plan: DeploymentPlan, remote: DevnetChain): Hex {
  const feeAggregator = plan.account;
  const executor = plan.deploy('executor', [
    10,
    { feeAggregator, allowedFinalityConfig: ANY_FINALITY, ccvAllowlistEnabled: false },
  ]);
  const dest = { destChainSelector: remote.selector, config: { usdCentsFee: 60, enabled: true } };
  plan.call('executor', executor, 'applyDestChainUpdates', [[], [dest]]);
  return plan.deploy('proxy', [executor, feeAggregator]);
}

/** A committee's verifier, found through a resolver, behind the proxy whose address messages name as their CCV. */
function planCommittee(
  plan: DeploymentPlan,
  member: CommitteeDeployment,
  remote: DevnetChain,
  router: Hex,
  rmn: Hex,
): Hex {
  const feeAggregator = plan.account;
  const { versionTag, threshold, signers } = member;
  const verifier = plan.deploy('committee_verifier', [
    { feeAggregator, allowlistAdmin: zeroAddress },
    [`devnet committee ${member.name}`],
    rmn,
    versionTag,
  ]);
  const remoteConfig = { router, remoteChainSelector: remote.selector, allowlistEnabled: false };
  const fees = { feeUSDCents: 45, gasForVerification: 60_000, payloadSizeBytes: 450 };
  plan.call('committee_verifier', verifier, 'applyRemoteChainConfigUpdates', [[{ ...remoteConfig, ...fees }]]);
  const quorum = { sourceChainSelector: remote.selector, threshold, signers };
  plan.call('committee_verifier', verifier, 'applySignatureConfigs', [[], [quorum]]);
  plan.call('committee_verifier', verifier, 'setAllowedFinalityConfig', [ANY_FINALITY]);
  const resolver = plan.deploy('versioned_verifier_resolver');
  const outbound = { destChainSelector: remote.selector, verifier };
  plan.call('versioned_verifier_resolver', resolver, 'applyOutboundImplementationUpdates', [[outbound]]);
  plan.call('versioned_verifier_resolver', resolver, 'applyInboundImplementationUpdates', [
    [{ version: versionTag, verifier }],
  ]);
  return plan.deploy('proxy', [resolver, feeAggregator]);
}

function planPool(plan: DeploymentPlan, token: Hex, registry: Hex, rmnProxy: Hex, router: Hex): Hex {
  const pool = plan.deploy('burn_mint_token_pool', [token, 18, zeroAddress, rmnProxy, router]);
  plan.call('cross_chain_token', token, 'grantMintAndBurnRoles', [pool]);
  plan.call('token_admin_registry', registry, 'proposeAdministrator', [token, plan.account]);
  plan.call('token_admin_registry', registry, 'acceptAdminRole', [token]);
  plan.call('token_admin_registry', registry, 'setPool', [token, pool]);
  return pool;
}

type Receivers = Pick<ChainAddresses, 'receiverLog' | 'receiverTwoCCVs' | 'receiverFast' | 'receiverReverting'>;

function planReceivers(plan: DeploymentPlan, ccvs: readonly Hex[]): Receivers {
  const receiverTwoCCVs = plan.deploy('mock_receiver_v2', [ccvs, [], 0]);
  const receiverFast = plan.deploy('mock_receiver_v2', [[], [], 0]);
  for (const receiver of [receiverTwoCCVs, receiverFast])
    plan.call('mock_receiver_v2', receiver, 'setAllowedFinalityConfig', [ANY_FINALITY]);
  return {
    receiverLog: plan.deploy('log_message_data_receiver'),
    receiverTwoCCVs,
    receiverFast,
    receiverReverting: plan.deploy('maybe_revert_message_receiver', [true]),
  };
}

/** What each chain must know of the other: ramps, pools, tokens. */
function planWiring(plan: DeploymentPlan, self: ChainAddresses, remote: DevnetChain, other: ChainAddresses): void {
  const { router, onRamp, offRamp, pool, executor } = self;
  const sharedConfig = { router, defaultCCVs: [self.ccvs[FIRST_COMMITTEE.name]], laneMandatedCCVs: [] };
  plan.call('onramp', onRamp, 'applyDestChainConfigUpdates', [
    [
      {
        ...sharedConfig,
        destChainSelector: remote.selector,
        addressBytesLength: 20,
        tokenReceiverAllowed: false,
        messageNetworkFeeUSDCents: 10,
        tokenNetworkFeeUSDCents: 20,
        baseExecutionGasCost: 150_000,
        defaultExecutor: executor,
        offRamp: other.offRamp,
      },
    ],
  ]);
  plan.call('offramp', offRamp, 'applySourceChainConfigUpdates', [
    [{ ...sharedConfig, sourceChainSelector: remote.selector, isEnabled: true, onRamps: [pad(other.onRamp)] }],
  ]);
  plan.call('router', router, 'applyRampUpdates', [
    [{ destChainSelector: remote.selector, onRamp }],
    [],
    [{ sourceChainSelector: remote.selector, offRamp }],
  ]);
  const unlimited = { isEnabled: false, capacity: 0n, rate: 0n };
  const remoteToken = { remotePoolAddresses: [pad(other.pool)], remoteTokenAddress: pad(other.token) };
  const limits = { outboundRateLimiterConfig: unlimited, inboundRateLimiterConfig: unlimited };
  plan.call('burn_mint_token_pool', pool, 'applyChainUpdates', [
    [],
    [{ remoteChainSelector: remote.selector, ...remoteToken, ...limits }],
  ]);
  plan.call('burn_mint_token_pool', pool, 'setAllowedFinalityConfig', [ANY_FINALITY]);
}
