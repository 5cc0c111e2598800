import type { ExecuteCalls } from '../../chains/calls/execute-calls.js';
import type { Hex } from '../../core/hex.js';
import type { Execution, StoredVerifierResult } from '../../model/records.js';
import type { Storage } from '../../storage/storage.js';
import { canonicalAddress } from '../../verifiers/address.js';

/** Results of a lane from which pairs are taken when it is first met. */
const LOOKED_AT = 1_000;

/** The knowledge of one lane. */
interface Lane {
  /** Source addresses by that of the destination. */
  readonly pairs: Map<Hex, Set<Hex>>;
  readonly set: ReadonlySet<Hex>;
}

/**
 * The CCVs of the lanes to one chain, as far as they are known: as configured, from results that are stored, from
 * matches that were made, and from the OffRamp.
 */
export class LaneCCVs {
  readonly #storage: Pick<Storage, 'queryCCVData'>;
  readonly #calls: ExecuteCalls;
  readonly #configured: ReadonlyMap<Hex, readonly Hex[]>;
  readonly #lanes = new Map<string, Promise<Lane>>();

  constructor(parts: {
    readonly storage: Pick<Storage, 'queryCCVData'>;
    readonly calls: ExecuteCalls;
    /** Source addresses by that on this chain. */
    readonly configured: ReadonlyMap<Hex, readonly Hex[]>;
  }) {
    this.#storage = parts.storage;
    this.#calls = parts.calls;
    this.#configured = parts.configured;
  }

  /** The lane of an execution: one object for all of them. @throws RpcError, the storage's errors */
  async of(execution: Execution, signal: AbortSignal): Promise<Lane> {
    const key = `${execution.sourceChainSelector} ${execution.offRamp}`;
    const known = this.#lanes.get(key);
    if (known) return await known;
    const opening = this.#open(execution, signal);
    this.#lanes.set(key, opening);
    opening.catch(() => this.#lanes.delete(key));
    return await opening;
  }

  /** Takes the pairs of stored results. */
  noteStored(lane: Lane, results: readonly StoredVerifierResult[]): void {
    for (const { verifierSourceAddress, verifierDestAddress } of results)
      this.note(lane, canonicalAddress(verifierDestAddress), canonicalAddress(verifierSourceAddress));
  }

  note({ pairs }: Lane, dest: Hex, source: Hex): void {
    const sources = pairs.get(dest) ?? new Set();
    pairs.set(dest, sources.add(source));
  }

  async #open(execution: Execution, signal: AbortSignal): Promise<Lane> {
    const { offRamp, sourceChainSelector, destChainSelector } = execution;
    const set = new Set(await this.#calls.laneCCVs(offRamp, sourceChainSelector, signal));
    const lane: Lane = { pairs: new Map(), set };
    for (const [dest, sources] of this.#configured) for (const source of sources) this.note(lane, dest, source);
    const { items } = await this.#storage.queryCCVData({
      sourceChainSelectors: [sourceChainSelector],
      destChainSelectors: [destChainSelector],
      limit: LOOKED_AT,
      // of a result the addresses alone
      maxBytes: 1,
    });
    this.noteStored(lane, items);
    return lane;
  }
}
