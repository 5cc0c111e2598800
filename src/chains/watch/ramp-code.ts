import { createClient } from 'viem';
import { getCode } from 'viem/actions';
import type { Common } from '../../core/common.js';
import { AbortedError, IndexerError, toError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import { RpcError } from '../rpc/rpc-errors.js';
import type { RpcNode } from '../rpc/rpc-node.js';
import type { RpcPool } from '../rpc/rpc-pool.js';
import { withRpcErrors } from '../rpc/viem-transport.js';

const EVERY_MS = 60_000;
/** While no node can tell. */
const RETRY_MS = 5_000;

/**
 * Asks whether there is a contract at the address of each ramp, and again slowly until there is. An address without
 * code is most often a mistake and emits nothing; it may also be deployed later, so the chain is read all the same.
 */
export class RampCode {
  readonly #chain: string;
  readonly #rpc: RpcPool;
  readonly #common: Common;
  readonly #everyMs: number;
  readonly #hasCode: Map<Hex, boolean | null>;

  constructor(options: {
    readonly chain: string;
    readonly addresses: readonly Hex[];
    readonly rpc: RpcPool;
    readonly common: Common;
    /** Default 60 s. */
    readonly everyMs?: number;
  }) {
    this.#chain = options.chain;
    this.#rpc = options.rpc;
    this.#common = options.common;
    this.#everyMs = options.everyMs ?? EVERY_MS;
    this.#hasCode = new Map(options.addresses.map((address) => [address, null]));
  }

  /** Null until a node has told. */
  hasCode(address: Hex): boolean | null {
    return this.#hasCode.get(address) ?? null;
  }

  /** Resolves when there is code at every address, or `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const [address, has] of this.#hasCode) if (!has) await this.#check(address, signal);
      const answers = [...this.#hasCode.values()];
      if (answers.every((has) => has === true)) return;
      try {
        await this.#common.clock.sleep(answers.includes(null) ? RETRY_MS : this.#everyMs, signal);
      } catch (thrown) {
        if (!(thrown instanceof AbortedError)) throw thrown;
      }
    }
  }

  async #check(address: Hex, signal: AbortSignal): Promise<void> {
    const { log } = this.#common;
    const named = { chain: this.#chain, address };
    try {
      const has = await this.#ask(address, signal);
      const had = this.hasCode(address);
      this.#hasCode.set(address, has);
      if (!has && had === null)
        log.warn(named, 'there is no contract at the address of a ramp: check OnRamp, OffRamp and RpcUrls');
      if (has && had === false) log.info(named, 'there is a contract at the address of the ramp now');
    } catch (thrown) {
      if (thrown instanceof AbortedError) return;
      log[thrown instanceof IndexerError ? 'debug' : 'error'](
        { ...named, err: toError(thrown) },
        'no RPC node tells whether there is a contract at the address of a ramp',
      );
    }
  }

  /** One node that has the code is enough: another may be behind. */
  async #ask(address: Hex, signal: AbortSignal): Promise<boolean> {
    return await this.#rpc.withNode(async (node) => {
      if (await hasCode(node, address)) return true;
      for (const other of this.#rpc.others(node, signal)) {
        try {
          if (await hasCode(other, address)) return true;
        } catch (thrown) {
          if (!(thrown instanceof RpcError)) throw thrown;
        }
      }
      return false;
    }, signal);
  }
}

async function hasCode({ transport }: RpcNode, address: Hex): Promise<boolean> {
  return (await withRpcErrors(getCode(createClient({ transport }), { address }))) !== undefined;
}
