import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeFunctionResult, encodeFunctionData } from 'viem';
import { type Anvil, type AnvilMining, startAnvil } from '../../../scripts/devnet/anvil/anvil.js';
import { createJsonRpc } from '../../../scripts/devnet/anvil/json-rpc.js';
import { type ContractName, createContractLibrary } from '../../../scripts/devnet/lane/contracts.js';
import { DEVNET_CHAINS, deployLane } from '../../../scripts/devnet/lane/lane.js';
import type { DevnetChain, LaneDeployment } from '../../../scripts/devnet/lane/lane-deployment.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { PATIENCE_MS } from '../patience.js';

export const common = createCommon();
export const library = createContractLibrary();

/** Two chains, and what was started on them. Everything registered with `own` is closed by `close`, last first. */
export interface TestLane {
  readonly chains: readonly [DevnetChain, DevnetChain];
  readonly nodes: readonly Anvil[];
  readonly deployment: LaneDeployment;
  own<T extends { close(): Promise<unknown> }>(closable: T): T;
  close(): Promise<void>;
}

export async function startTestLane(
  options: { mining?: AnvilMining; slotsInAnEpoch?: number; stateDirectory?: string; deployment?: LaneDeployment } = {},
): Promise<TestLane> {
  const { mining = { everyMs: 100 }, slotsInAnEpoch = 1, stateDirectory } = options;
  const nodes = await Promise.all(
    DEVNET_CHAINS.map(({ chainId, name }) =>
      startAnvil({
        common,
        chainId,
        slotsInAnEpoch,
        mining,
        ...(stateDirectory === undefined ? {} : { stateFile: join(stateDirectory, `${name}.json`) }),
      }),
    ),
  );
  const [a, b] = DEVNET_CHAINS.map((chain, index) => ({ ...chain, url: nodes[index]!.url }));
  const chains = [a!, b!] as const;
  const deployment = options.deployment ?? (await deployLane({ common, chains, library }));
  const owned: { close(): Promise<unknown> }[] = [];
  return {
    chains,
    nodes,
    deployment,
    own(closable) {
      owned.push(closable);
      return closable;
    },
    async close() {
      for (let next = owned.pop(); next; next = owned.pop()) await next.close();
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

/** Polls until `probe` gives something else than null, undefined or false; fails when patience ends. */
export async function until<T>(what: string, probe: () => T | Promise<T>) {
  const deadlineMs = common.clock.monotonicMs() + PATIENCE_MS;
  for (;;) {
    const found = await probe();
    if (found !== null && found !== undefined && found !== false) return found as NonNullable<Exclude<T, false>>;
    if (common.clock.monotonicMs() > deadlineMs) throw new Error(`timed out: ${what}`);
    await common.clock.sleep(10);
  }
}

/** Calls a view function of a contract. */
export async function view(url: string, name: ContractName, address: Hex, functionName: string, args: unknown[] = []) {
  const { abi } = library.artifact(name);
  const data = encodeFunctionData({ abi, functionName, args });
  const answer = (await createJsonRpc(url)('eth_call', [{ to: address, data }, 'latest'])) as Hex;
  return decodeFunctionResult({ abi, functionName, data: answer });
}

/** A directory that `remove` deletes. */
export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'devnet-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
