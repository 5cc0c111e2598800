import { pad, parseEther, zeroAddress } from 'viem';
import type { Hex } from '../../../src/core/hex.js';
import type { DeploymentPlan } from './deployment-plan.js';
import { devnetAccount } from './keys.js';
import type { ChainAddresses, CommitteeDeployment, DevnetChain } from './lane-deployment.js';

/** The default CCV: two of three must sign. Its tag is that of the contract, `CommitteeVerifier 2.0.0`. */
const FIRST_COMMITTEE = committee('first', '0xe9a05a20', 2, 3);
/** The CCV that a message may ask for besides: one of one. */
const SECOND_COMMITTEE = committee('second', '0x49ff34ed', 1, 1);
/** The committees whose verifiers stand on both chains. */
export const COMMITTEES = [FIRST_COMMITTEE, SECOND_COMMITTEE];

/** Allowed finality of contracts: the safe flag, and any depth from one block up. */
const ANY_FINALITY = '0x00010001';
const EVM_FAMILY = '0x2812d52c';
const USD = 10n ** 18n;
const SUPPLY = parseEther('1000000000000');
/** Largest payload that the lane takes, in bytes. */
const MAX_DATA_BYTES = 30_000;

function committee(name: string, versionTag: Hex, threshold: number, size: number): CommitteeDeployment {
  const numbers = Array.from({ length: size }, (_, index) => index + 1);
  const signers = numbers.map((n) => devnetAccount(`committee ${name} signer ${n}`).address.toLowerCase() as Hex);
  return { name, versionTag, threshold, signers };
}

/** Plans the contracts of one chain, for messages to and from `remote`. */
export function planContracts(plan: DeploymentPlan, self: DevnetChain, remote: DevnetChain): ChainAddresses {
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

/** Ramps, pools and tokens of the other chain, made known to each. */
export function planWiring(
  plan: DeploymentPlan,
  self: ChainAddresses,
  remote: DevnetChain,
  other: ChainAddresses,
): void {
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
