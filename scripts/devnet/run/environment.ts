import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Common } from '../../../src/core/common.js';
import type { Shutdown } from '../../../src/core/shutdown.js';
import { type Anvil, startAnvil } from '../anvil/anvil.js';
import { savedState } from '../anvil/anvil-state.js';
import { type CommitteeVerifier, createCommitteeVerifier } from '../lane/committee-verifier.js';
import { DEVNET_CHAINS, deployLane, isLaneDeployed } from '../lane/lane.js';
import type { DevnetChain, LaneDeployment } from '../lane/lane-deployment.js';
import type { EmbeddedPostgres } from '../postgres/embedded-postgres.js';
import { removeDatabase, startDatabase } from './database.js';

/** A chain of the devnet with both of its addresses. */
export interface RunningChain extends DevnetChain {
  readonly wsUrl: string;
}

/** Everything around the indexer. */
export interface Environment {
  readonly postgres: EmbeddedPostgres;
  /** Where the cold tier's objects lie. */
  readonly coldDir: string;
  readonly chains: readonly [RunningChain, RunningChain];
  readonly deployment: LaneDeployment;
  readonly committees: readonly CommitteeVerifier[];
  /** The lane was there before: this start continues an earlier one. */
  readonly continued: boolean;
}

/** Settings of the environment. */
export interface EnvironmentOptions {
  readonly common: Common;
  readonly dataDir: string;
  /** The query API's: the chains' RPC is two and three above it, the aggregators four and five. 0: free ports. */
  readonly firstPort: number;
  /** Everything started is registered here as soon as it runs. */
  readonly shutdown: Shutdown;
  readonly onStep: (step: string) => void;
}

/** The chain whose messages are found at aggregators alone; the other is watched, and has REST verifiers. */
export const AGGREGATED_CHAIN = DEVNET_CHAINS[0].name;

/** A block a second, and `finalized` two blocks behind `latest`. */
const BLOCK_EVERY_MS = 1_000;
const SLOTS_IN_AN_EPOCH = 1;

/** Places of ports behind the query API's and the admin port's. */
const CHAIN_PLACE = 2;
const AGGREGATOR_PLACE = CHAIN_PLACE + DEVNET_CHAINS.length;

/**
 * Starts Postgres, two chains with the real contracts and both committees, from the contents of the data directory. A
 * lane that is gone (the state of its chains was removed) is replaced by a new one, and the database, the cold tier and
 * the results of its committees with it: its messages mean nothing on other chains. All go before the new lane is noted, so that a start that is
 * killed in between leaves nothing that a later one could take for the new lane's.
 */
export async function startEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const { common, dataDir, shutdown, onStep } = options;
  await mkdir(dataDir, { recursive: true });
  await removeStaleData(options);
  onStep('starting two local chains');
  const chains = await startChains(options);
  const saved = await readDeployment(dataDir);
  const continued = saved !== null && (await isLaneDeployed(saved, chains));
  const coldDir = join(dataDir, 'cold');
  const resultsDir = join(dataDir, 'committees');
  if (!continued) {
    await removeDatabase(dataDir);
    for (const place of [coldDir, resultsDir]) await rm(place, { recursive: true, force: true });
  }
  onStep(continued ? 'continuing with the lane of the data directory' : 'deploying the CCIP contracts on both');
  const deployment = continued ? saved : await deploy(common, dataDir, chains);
  onStep('starting Postgres');
  const postgres = await startDatabase({ common, dataDir, onStep });
  shutdown.add('postgres', () => postgres.stop());
  onStep('starting the committees');
  await mkdir(resultsDir, { recursive: true });
  const committees: CommitteeVerifier[] = [];
  for (const [index, { name }] of deployment.committees.entries()) {
    const committee = await createCommitteeVerifier({
      ...{ common, deployment, chains, committee: name, resultsFile: join(resultsDir, `${name}.jsonl`) },
      aggregated: { sources: [AGGREGATED_CHAIN], port: portAt(options, AGGREGATOR_PLACE + index) },
    });
    shutdown.add(`committee ${name}`, () => committee.close());
    committees.push(committee);
  }
  return { postgres, coldDir, chains, deployment, committees, continued };
}

/**
 * A chain that was killed before it saved itself is older than the records about it in the database: both are removed.
 */
async function removeStaleData({ common, dataDir, onStep }: EnvironmentOptions): Promise<void> {
  const states = await Promise.all(DEVNET_CHAINS.map(({ name }) => savedState(common, stateFile(dataDir, name))));
  if (!states.includes('stale')) return;
  onStep('a chain of the last run was killed before it was saved: starting over');
  for (const { name } of DEVNET_CHAINS)
    for (const file of [stateFile(dataDir, name), `${stateFile(dataDir, name)}.pid`]) await rm(file, { force: true });
  await rm(join(dataDir, 'lane.json'), { force: true });
}

/** 0: a free one. */
function portAt({ firstPort }: EnvironmentOptions, place: number): number {
  return firstPort === 0 ? 0 : firstPort + place;
}

function stateFile(dataDir: string, chain: string): string {
  return join(dataDir, `chain-${chain.toLowerCase()}.json`);
}

async function startChains(options: EnvironmentOptions): Promise<[RunningChain, RunningChain]> {
  const { common, dataDir, shutdown } = options;
  const started = DEVNET_CHAINS.map(async ({ name, chainId, selector }, index): Promise<RunningChain> => {
    const anvil: Anvil = await startAnvil({
      common,
      chainId,
      port: portAt(options, CHAIN_PLACE + index),
      slotsInAnEpoch: SLOTS_IN_AN_EPOCH,
      mining: { everyMs: BLOCK_EVERY_MS },
      stateFile: stateFile(dataDir, name),
    });
    shutdown.add(`chain ${name}`, () => anvil.stop());
    return { name, chainId, selector, url: anvil.url, wsUrl: anvil.wsUrl };
  });
  return (await Promise.all(started)) as [RunningChain, RunningChain];
}

async function deploy(
  common: Common,
  dataDir: string,
  chains: readonly [RunningChain, RunningChain],
): Promise<LaneDeployment> {
  const deployment = await deployLane({ common, chains });
  const file = join(dataDir, 'lane.json');
  await writeFile(`${file}.new`, `${JSON.stringify(deployment, null, 2)}\n`);
  await rename(`${file}.new`, file);
  return deployment;
}

async function readDeployment(dataDir: string): Promise<LaneDeployment | null> {
  try {
    return JSON.parse(await readFile(join(dataDir, 'lane.json'), 'utf8')) as LaneDeployment;
  } catch (thrown) {
    // absent on the first start; unreadable after a crash in the middle of it: either way there is no lane to continue
    if (thrown instanceof SyntaxError || (thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw thrown;
  }
}
