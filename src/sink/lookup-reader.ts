import type { Common } from '../core/common.js';
import { InvalidArgumentError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import { checkId } from '../storage/check-batch.js';
import { CCVDataNotFoundError, CoverageGapError, MessageNotFoundError } from '../storage/errors.js';
import type { StoredMessage, StoredVerifierResult } from '../storage/records.js';
import type { Storage } from '../storage/storage.js';
import { type Backend, isReadable, mayLookUp } from './backend.js';
import { codeOf } from './errors.js';
import type { ReadFloor } from './read-floor.js';
import type { SinkMetrics } from './sink-metrics.js';
import { succeedsWithin } from './within.js';

/**
 * Looks records up by message id: backend by backend in configured order, until one is complete for the id. The path
 * that the first backend answers allocates nothing of its own: it is the hottest of the whole product.
 */
export class LookupReader {
  readonly #backends: readonly Backend[];
  readonly #floor: ReadFloor;
  readonly #common: Common;
  readonly #metrics: SinkMetrics;
  readonly #maxStalenessMs: number;
  readonly #catchUpWaitMs: number;

  constructor(parts: {
    readonly backends: readonly Backend[];
    readonly floor: ReadFloor;
    readonly common: Common;
    readonly metrics: SinkMetrics;
    readonly maxStalenessMs: number;
    readonly catchUpWaitMs: number;
  }) {
    this.#backends = parts.backends.filter(isReadable);
    this.#floor = parts.floor;
    this.#common = parts.common;
    this.#metrics = parts.metrics;
    this.#maxStalenessMs = parts.maxStalenessMs;
    this.#catchUpWaitMs = parts.catchUpWaitMs;
  }

  async ccvData(messageId: Hex): Promise<readonly StoredVerifierResult[]> {
    const results = await this.#lookUp(messageId, getCCVData);
    for (const { position } of results) this.#floor.reached(position);
    return results;
  }

  async message(messageId: Hex): Promise<StoredMessage> {
    const message = await this.#lookUp(messageId, getMessage);
    this.#floor.reached(message.position);
    return message;
  }

  async #lookUp<T>(messageId: Hex, ask: (storage: Storage, messageId: Hex) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const backend of this.#backends) {
      if (!this.#mayAsk(backend)) continue;
      try {
        const found = await ask(backend.storage, messageId);
        this.#metrics.lookup(backend.tier);
        return found;
      } catch (thrown) {
        if (isAnswer(thrown)) {
          this.#metrics.lookup(backend.tier);
          throw thrown;
        }
        failure = this.#passOver(backend, thrown, failure);
      }
    }
    checkId(messageId, 'messageId');
    if (await this.#catchUp()) return await this.#lookUpOnce(messageId, ask, failure);
    throw this.#gap(messageId, failure);
  }

  /** Again, after those that were late have caught up. */
  async #lookUpOnce<T>(
    messageId: Hex,
    ask: (storage: Storage, messageId: Hex) => Promise<T>,
    before: unknown,
  ): Promise<T> {
    let failure = before;
    for (const backend of this.#backends) {
      if (!this.#mayAsk(backend)) continue;
      try {
        return await ask(backend.storage, messageId);
      } catch (thrown) {
        if (isAnswer(thrown)) throw thrown;
        failure = this.#passOver(backend, thrown, failure);
      }
    }
    throw this.#gap(messageId, failure);
  }

  #mayAsk(backend: Backend): boolean {
    if (backend.follower === null) return true;
    return mayLookUp(backend, {
      nowMs: this.#common.clock.nowMs(),
      floor: this.#floor,
      maxStalenessMs: this.#maxStalenessMs,
    });
  }

  /** The cause to name in the end: that a cache lacks an id explains less than that the database failed. */
  #passOver(backend: Backend, thrown: unknown, before: unknown): unknown {
    if (thrown instanceof CoverageGapError) return before ?? thrown;
    this.#common.log.warn({ backend: backend.name, code: codeOf(thrown), err: thrown }, 'backend passed over');
    return thrown;
  }

  async #catchUp(): Promise<boolean> {
    const late = this.#backends.flatMap((backend) =>
      backend.follower !== null && backend.follower.state !== 'failing' && !this.#mayAsk(backend)
        ? [backend.follower]
        : [],
    );
    if (late.length === 0) return false;
    const anyone = Promise.any(late.map((follower) => follower.confirm()));
    return await succeedsWithin(this.#common.clock, this.#catchUpWaitMs, anyone);
  }

  #gap(messageId: Hex, cause: unknown): CoverageGapError {
    this.#metrics.lookup('gap');
    return new CoverageGapError({ kind: 'messageId', messageId }, 'sink', cause === undefined ? {} : { cause });
  }
}

function getCCVData(storage: Storage, messageId: Hex): Promise<readonly StoredVerifierResult[]> {
  return storage.getCCVData(messageId);
}

function getMessage(storage: Storage, messageId: Hex): Promise<StoredMessage> {
  return storage.getMessage(messageId);
}

/** Not found is an answer of a backend that is complete for the id. */
function isAnswer(thrown: unknown): boolean {
  return (
    thrown instanceof CCVDataNotFoundError ||
    thrown instanceof MessageNotFoundError ||
    thrown instanceof InvalidArgumentError
  );
}
