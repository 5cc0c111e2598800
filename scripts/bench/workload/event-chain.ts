import { Pool } from 'undici';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import { type EmittedLog, emitterCalldata, LOG_EMITTER_CODE } from '../../../test/support/chain/log-emitter.js';
import { startAnvil } from '../../devnet/anvil/anvil.js';
import { createEventMaker, ON_RAMP } from '../benches/events.js';

/** A local chain full of `CCIPMessageSent` events. */
export interface EventChain {
  readonly url: string;
  readonly wsUrl: string;
  /** Blocks with events, both included; those after it make it final. */
  readonly from: number;
  readonly to: number;
  readonly events: number;
  /** Sends one event more, for the next block, and returns the id of its message. */
  emit(): Promise<Hex>;
  mine(): Promise<void>;
  stop(): Promise<void>;
}

const SENDERS = 10;
/** finalized = latest − 2 (see `slotsInAnEpoch`). */
const BLOCKS_AFTER = 2;

interface Call {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** Starts anvil and fills `blocks` blocks with `perBlock` events each, all different. */
export async function startEventChain(blocks: number, perBlock: number): Promise<EventChain> {
  const anvil = await startAnvil({ common: createCommon(), chainId: 1337, slotsInAnEpoch: 1, mining: 'manual' });
  const pool = new Pool(anvil.url, { connections: 1 });
  try {
    await call(pool, [{ method: 'anvil_setCode', params: [ON_RAMP, LOG_EMITTER_CODE] }]);
    const [accounts] = (await call(pool, [{ method: 'eth_accounts', params: [] }])) as [readonly Hex[]];
    const from = Number((await call(pool, [{ method: 'eth_blockNumber', params: [] }]))[0]) + 1;
    const make = createEventMaker(3);
    let sent = 0;
    const send = (log: EmittedLog) => {
      const nonce = Math.floor(sent / SENDERS);
      const sender = accounts[sent % SENDERS]!;
      sent += 1;
      return sendLog(log, sender, nonce);
    };
    const mine = async () => {
      await call(pool, [MINE]);
    };
    for (let block = 0; block < blocks; block += 1) {
      await call(
        pool,
        Array.from({ length: perBlock }, () => send(make())),
      );
      await mine();
    }
    for (let block = 0; block < BLOCKS_AFTER; block += 1) await mine();
    return {
      ...{ url: anvil.url, wsUrl: anvil.wsUrl, from, to: from + blocks - 1, events: blocks * perBlock, mine },
      async emit() {
        const log = make();
        await call(pool, [send(log)]);
        return log.topics[3];
      },
      async stop() {
        await pool.close();
        await anvil.stop();
      },
    };
  } catch (thrown) {
    await pool.close();
    await anvil.stop();
    throw thrown;
  }
}

const MINE: Call = { method: 'evm_mine', params: [] };

function sendLog(log: EmittedLog, from: Hex, nonce: number): Call {
  const transaction = {
    ...{ from, to: ON_RAMP, data: emitterCalldata(log), nonce: `0x${nonce.toString(16)}` },
    ...{ gas: '0x1e8480', maxFeePerGas: '0x77359400', maxPriorityFeePerGas: '0x0' },
  };
  return { method: 'eth_sendTransaction', params: [transaction] };
}

/** Several calls in one request. */
async function call(pool: Pool, calls: readonly Call[]): Promise<readonly unknown[]> {
  const body = JSON.stringify(calls.map((each, index) => ({ jsonrpc: '2.0', id: index, ...each })));
  const response = await pool.request({
    path: '/',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  const answers = (await response.body.json()) as { readonly result?: unknown; readonly error?: unknown }[];
  const failed = answers.find(({ error }) => error !== undefined);
  if (failed) throw new Error(`anvil: ${JSON.stringify(failed.error)}`);
  return answers.map(({ result }) => result);
}
