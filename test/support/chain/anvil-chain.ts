import { type Anvil, type AnvilMining, startAnvil } from '../../../scripts/devnet/anvil/anvil.js';
import { createJsonRpc, type JsonRpc } from '../../../scripts/devnet/anvil/json-rpc.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { type EmittedLog, emitterCalldata, LOG_EMITTER_CODE } from './log-emitter.js';

/** A transaction for `anvil_reorg`, and in which block of the new branch it goes. */
export type ReorgEntry = readonly [transaction: Readonly<Record<string, unknown>>, blockOffset: number];

/** A local chain whose blocks are made on request and hold whatever logs a test wants at the OnRamp's address. */
export interface AnvilChain {
  readonly anvil: Anvil;
  readonly rpc: JsonRpc;
  readonly onRamp: Hex;
  /** One block with these logs, in this order. */
  block(...logs: readonly EmittedLog[]): Promise<void>;
  /** Empty blocks. */
  mine(count: number): Promise<void>;
  head(): Promise<number>;
  hashAt(block: number): Promise<Hex>;
  /** Replaces the last `depth` blocks by as many others, with these logs in the block of that offset. */
  reorg(depth: number, logs?: readonly { readonly log: EmittedLog; readonly offset: number }[]): Promise<void>;
  stop(): Promise<void>;
}

/** Starts anvil with the log emitter at `onRamp`: safe = latest − `slots`, finalized = latest − 2 × `slots`. */
export async function startAnvilChain(options: {
  readonly onRamp: Hex;
  readonly slots?: number;
  readonly chainId?: number;
  readonly mining?: AnvilMining;
}): Promise<AnvilChain> {
  const { onRamp, slots = 4, chainId = 1337, mining = 'manual' } = options;
  const anvil = await startAnvil({ common: createCommon(), chainId, slotsInAnEpoch: slots, mining });
  const rpc = createJsonRpc(anvil.url);
  await rpc('anvil_setCode', [onRamp, LOG_EMITTER_CODE]);
  const [from] = (await rpc('eth_accounts')) as [Hex];
  const transaction = (log: EmittedLog) => ({ from, to: onRamp, data: emitterCalldata(log), gas: '0x1000000' });
  const head = async () => Number(await rpc('eth_blockNumber'));

  return {
    anvil,
    rpc,
    onRamp,
    head,
    async block(...logs) {
      for (const log of logs) await rpc('eth_sendTransaction', [transaction(log)]);
      await rpc('anvil_mine', ['0x1']);
    },
    async mine(count) {
      await rpc('anvil_mine', [`0x${count.toString(16)}`]);
    },
    async hashAt(block) {
      return ((await rpc('eth_getBlockByNumber', [`0x${block.toString(16)}`, false])) as { hash: Hex }).hash;
    },
    async reorg(depth, logs = []) {
      const entries: ReorgEntry[] = logs.map(({ log, offset }) => [transaction(log), offset]);
      await rpc('anvil_reorg', [depth, entries]);
    },
    stop: () => anvil.stop(),
  };
}
