import type { TomlTable } from 'smol-toml';
import { type CommitteeVerifier, createCommitteeVerifier } from '../../../scripts/devnet/lane/committee-verifier.js';
import { common, type TestLane } from '../devnet/fixture.js';

/** The chains of a lane as a configuration names them, read as fast as a test wants them to be. */
export function chainSections(lane: TestLane, settings: TomlTable = {}): TomlTable[] {
  return lane.deployment.chains.map((chain, index) => ({
    Name: chain.name,
    Selector: chain.selector,
    RpcUrls: [lane.chains[index]!.url],
    OnRamp: chain.addresses.onRamp,
    StartBlock: chain.startBlock,
    Confirmations: 'latest',
    PollInterval: 100,
    RequestsPerSecond: 1_000,
    ...settings,
  }));
}

/** Starts the committees of a lane; they end with it. */
export async function startCommittees(lane: TestLane): Promise<CommitteeVerifier[]> {
  const { deployment, chains } = lane;
  return await Promise.all(
    deployment.committees.map(async ({ name }) =>
      lane.own(await createCommitteeVerifier({ common, deployment, chains, committee: name, pollMs: 100 })),
    ),
  );
}

/** Committees as a configuration names them. */
export function verifierSections(committees: readonly CommitteeVerifier[]): TomlTable[] {
  return committees.map(({ name, url, issuerAddresses }) => ({
    Type: 'rest',
    Name: `committee-${name}`,
    IssuerAddresses: [...issuerAddresses],
    BaseURL: url,
    RequestTimeout: 5,
    MaxBatchWaitTime: 20,
  }));
}
