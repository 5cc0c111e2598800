import type { CommitteeVerifier } from '../lane/committee-verifier.js';
import { devnetAccount, devnetKey } from '../lane/keys.js';
import type { ChainAddresses, DevnetChain, LaneDeployment } from '../lane/lane-deployment.js';

/** The parts of a running lane that a developer needs. */
export interface LaneFacts {
  /** In the order of the deployment's. */
  readonly chains: readonly [DevnetChain, DevnetChain];
  readonly deployment: LaneDeployment;
  readonly committees: readonly Pick<CommitteeVerifier, 'name' | 'aggregator'>[];
  readonly apiUrl: string;
}

const LABEL_WIDTH = 19;
const ADDRESS_WIDTH = 43;

/**
 * Lines for a developer who points a wallet, an executor or another tool at the lane: chains, contracts, aggregators,
 * an account with means, and a command that asks the API.
 */
export function laneNotes({ chains: [a, b], deployment, committees, apiUrl }: LaneFacts): string[] {
  const row = (label: string, ofA: string, ofB = '') =>
    `${label.padEnd(LABEL_WIDTH)}${ofA.padEnd(ADDRESS_WIDTH)} ${ofB}`.trimEnd();
  const [onA, onB] = deployment.chains.map(({ addresses }) => addresses) as [ChainAddresses, ChainAddresses];
  const contract = (label: string, address: (contracts: ChainAddresses) => string | undefined) =>
    row(label, address(onA) ?? '', address(onB));
  return [
    row('', `chain ${a.name}`, `chain ${b.name}`),
    row('RPC', a.url, b.url),
    row('chain id', String(a.chainId), String(b.chainId)),
    row('selector', String(a.selector), String(b.selector)),
    contract('router', ({ router }) => router),
    contract('OnRamp', ({ onRamp }) => onRamp),
    contract('OffRamp', ({ offRamp }) => offRamp),
    contract('executor', ({ executor }) => executor),
    contract('LINK, pays fees', ({ feeToken }) => feeToken),
    contract('TEST, crosses', ({ token }) => token),
    ...deployment.committees.map(({ name }) => contract(`CCV ${name}`, ({ ccvs }) => ccvs[name])),
    contract('receiver', ({ receiverLog }) => receiverLog),
    contract('receiver, 2 CCVs', ({ receiverTwoCCVs }) => receiverTwoCCVs),
    contract('receiver, fast', ({ receiverFast }) => receiverFast),
    ...committees.flatMap(({ name, aggregator }) =>
      aggregator
        ? [row(`aggregator ${name}`, aggregator.address, aggregator.apiKey), row('  its secret', aggregator.secret)]
        : [],
    ),
    row('account with means', devnetAccount('developer').address.toLowerCase(), 'of worthless ETH, LINK, TEST'),
    row('  its key', devnetKey('developer'), 'public: for this devnet alone'),
    `curl -s '${apiUrl}/v1/messages?limit=2'`,
  ];
}
