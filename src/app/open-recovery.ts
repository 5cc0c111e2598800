import { createExecuteCalls } from '../chains/calls/execute-calls.js';
import type { BatchWriter } from '../chains/chain-port.js';
import type { RpcPool } from '../chains/rpc/rpc-pool.js';
import { chainSourceId } from '../chains/source-ids.js';
import { offRampsOf, onRampsOf } from '../config/checks/chain-identity.js';
import type { ChainSection, Config } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import { createExecutionRecovery, type ExecutionRecovery } from '../indexer/recovery/execution-recovery.js';
import { LaneCCVs } from '../indexer/recovery/lane-ccvs.js';
import type { RecoverOptions } from '../indexer/recovery/recover-verifications.js';
import type { Storage } from '../storage/storage.js';

/** The clocks of two chains differ by less. */
const SLACK_MS = 600_000;

/** Recovers the verifications of a chain's executions as configured; null: `RecoverVerifications` is off. */
export function openRecovering(section: ChainSection, rpc: RpcPool, storage: Storage): RecoverOptions | null {
  if (section.RecoverVerifications === 'off') return null;
  const calls = createExecuteCalls({ rpc, traces: section.RecoverVerifications === 'trace' });
  const configured = new Map(section.CCVs.map(({ Address, Sources }) => [Address, Sources]));
  return { storage, calls, lanes: new LaneCCVs({ storage, calls, configured }) };
}

/** The recovery beside the watcher of a chain; null where there is none. */
export function openRecovery(
  section: ChainSection,
  parts: {
    readonly config: Config;
    /** The nodes of every chain, by its selector. */
    readonly pools: ReadonlyMap<bigint, RpcPool>;
    readonly storage: Storage;
    readonly writer: BatchWriter;
    readonly common: Common;
  },
): ExecutionRecovery | null {
  const { config, pools, storage, writer, common } = parts;
  const offRamps = offRampsOf(section);
  const rpc = pools.get(section.Selector);
  const recovering = rpc && openRecovering(section, rpc, storage);
  if (offRamps.length === 0 || !recovering) return null;
  return createExecutionRecovery({
    ...recovering,
    ...{ chain: section.Name, selector: section.Selector, offRamps, storage, writer, common },
    async isSourceBehind({ sourceChainSelector, place }, signal) {
      const source = config.Chain.find(({ Selector }) => Selector === sourceChainSelector);
      const nodes = pools.get(sourceChainSelector);
      if (!source || !nodes) return false;
      for (const { address } of onRampsOf(source)) {
        const cursor = await storage.getCursor(chainSourceId(sourceChainSelector, address));
        if (cursor === null) return true;
        const [header] = await nodes.withNode((node) => node.headers([Number(cursor.height)]), signal);
        if (!header || header.timestampMs <= place.blockTimestampMs + SLACK_MS) return true;
      }
      return false;
    },
  });
}
