import type { Common } from '../../core/common.js';
import type { Hex } from '../../core/hex.js';
import { mapInParallel } from '../../core/parallel.js';
import { type Held, type HeldTransaction, inLogOrder, unite } from '../../model/held.js';
import { executionIdentity, messageIdentity } from '../../model/identity.js';
import { CoverageGapError } from '../../model/storage-errors.js';
import { type BackendStorage, buffers } from '../../storage/backend-storage.js';
import { type Backend, isReadable } from '../backend.js';
import type { LookupReader } from './lookup-reader.js';
import type { ReadFloor } from './read-floor.js';
import { Met, passOver } from './read-loop.js';

const PARALLEL_LOOKUPS = 8;

/**
 * Looks the records of a transaction up. The leader has all of them, but for messages that were pruned: those are in a
 * lagging tier, which has every change up to where the leader begins. A message may have moved to another transaction
 * since that tier heard of it, so each one that the leader does not tell by itself is looked up by its id.
 */
export class TransactionReader {
  readonly #lagging: readonly Backend[];
  readonly #floor: ReadFloor;
  readonly #common: Common;
  readonly #lookups: Pick<LookupReader, 'message'>;

  constructor(parts: {
    readonly backends: readonly Backend[];
    readonly floor: ReadFloor;
    readonly common: Common;
    readonly lookups: Pick<LookupReader, 'message'>;
  }) {
    this.#lagging = parts.backends.filter(
      (each) => isReadable(each) && each.follower !== null && buffers(each.storage),
    );
    this.#floor = parts.floor;
    this.#common = parts.common;
    this.#lookups = parts.lookups;
  }

  /**
   * No later read goes back behind the answer.
   * @throws CoverageGapError when no tier holds what the leader lacks; the errors of the leader.
   */
  async transaction(transactionHash: Hex, leader: BackendStorage): Promise<HeldTransaction> {
    // as of now: the leader is read after it, and others may commit meanwhile
    const { position: floorPosition } = this.#floor;
    const own = await leader.getTransaction(transactionHash);
    this.#floor.reached(own.throughPosition);
    const met = new Met();
    const isPresent = leader.coverage().throughMs === Number.POSITIVE_INFINITY;
    if (isPresent && own.throughPosition >= floorPosition) {
      if (own.afterPosition === 0n) return own;
      for (const backend of this.#lagging) {
        const whole = await this.#unitedWith(backend, transactionHash, { own, floorPosition }, met);
        if (whole !== null) return whole;
      }
    }
    const cause = met.failure === undefined ? {} : { cause: met.failure };
    throw new CoverageGapError({ kind: 'transaction', transactionHash }, 'sink', cause);
  }

  /** Null when the tier cannot tell what the leader lacks. */
  async #unitedWith(
    backend: Backend,
    transactionHash: Hex,
    { own, floorPosition }: { readonly own: HeldTransaction; readonly floorPosition: bigint },
    met: Met,
  ): Promise<HeldTransaction | null> {
    const { storage, follower } = backend;
    // a tier that was never compared with the leader may have another history
    if (!buffers(storage) || follower?.progress.isPlaced !== true) return null;
    let older: HeldTransaction;
    try {
      older = await storage.getTransaction(transactionHash);
      if (older.throughPosition < own.afterPosition) {
        // other processes may have flushed since, and pruned up to there
        await storage.refresh();
        older = await storage.getTransaction(transactionHash);
      }
    } catch (thrown) {
      passOver(met, backend, thrown, this.#common);
      return null;
    }
    const held = [own, older];
    const messages = unite(parts(held, 'messages'), messageIdentity, floorPosition);
    const executions = unite(parts(held, 'executions'), executionIdentity, floorPosition);
    if (messages === null || executions === null) return null;
    const isOwn = new Set(own.value.messages);
    const present = await mapInParallel(messages, PARALLEL_LOOKUPS, async (message) =>
      isOwn.has(message) ? message : await this.#lookups.message(message.messageId),
    );
    return {
      value: inLogOrder({
        messages: present.filter(({ origin }) => origin?.transactionHash === transactionHash),
        executions,
      }),
      afterPosition: 0n,
      throughPosition: own.throughPosition,
    };
  }
}

function parts<K extends keyof HeldTransaction['value']>(held: readonly HeldTransaction[], kind: K) {
  return held.map(({ value, ...range }): Held<HeldTransaction['value'][K]> => ({ ...range, value: value[kind] }));
}
