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

  ccvData(messageId: Hex): Promise<readonly StoredVerifierResult[]> {
    return this.#first(messageId, RESULTS);
  }

  message(messageId: Hex): Promise<StoredMessage> {
    return this.#first(messageId, MESSAGE);
  }

  /** The first backend's answer, when it has one: everything else is the slow path. */
  async #first<T>(messageId: Hex, lookup: Lookup<T>): Promise<T> {
    const [first] = this.#backends;
    if (first === undefined || !this.#mayAsk(first)) return await this.#fromAny(messageId, lookup, 0, undefined);
    this.#metrics.lookup(first.tier);
    try {
      const found = await lookup.ask(first.storage, messageId);
      lookup.note(this.#floor, found);
      return found;
    } catch (thrown) {
      if (isAnswer(thrown)) throw thrown;
      return await this.#fromAny(messageId, lookup, 1, this.#passOver(first, thrown, undefined));
    }
  }

  /** From the backends from index `from` on, and once more from all when some of those that were late have caught up. */
  async #fromAny<T>(messageId: Hex, lookup: Lookup<T>, from: number, before: unknown): Promise<T> {
    checkId(messageId, 'messageId');
    let failure = before;
    const inOrder = this.#backends.slice(from);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      for (const backend of attempt === 0 ? inOrder : this.#backends) {
        if (!this.#mayAsk(backend)) continue;
        try {
          this.#metrics.lookup(backend.tier);
          const found = await lookup.ask(backend.storage, messageId);
          lookup.note(this.#floor, found);
          return found;
        } catch (thrown) {
          if (isAnswer(thrown)) throw thrown;
          failure = this.#passOver(backend, thrown, failure);
        }
      }
      if (attempt > 0 || !(await this.#catchUp())) break;
    }
    this.#metrics.lookup('gap');
    throw new CoverageGapError(
      { kind: 'messageId', messageId },
      'sink',
      failure === undefined ? {} : { cause: failure },
    );
  }

  #mayAsk(backend: Backend): boolean {
    return mayLookUp(backend, this.#floor.position, this.#maxStalenessMs);
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
}

interface Lookup<T> {
  ask(storage: Storage, messageId: Hex): Promise<T>;
  /** What was shown must not be taken back. */
  note(floor: ReadFloor, found: T): void;
}

const RESULTS: Lookup<readonly StoredVerifierResult[]> = {
  ask: (storage, messageId) => storage.getCCVData(messageId),
  note(floor, results) {
    for (const { position } of results) floor.reached(position);
  },
};

const MESSAGE: Lookup<StoredMessage> = {
  ask: (storage, messageId) => storage.getMessage(messageId),
  note: (floor, { position }) => floor.reached(position),
};

/** Not found is an answer of a backend that is complete for the id. */
function isAnswer(thrown: unknown): boolean {
  return (
    thrown instanceof CCVDataNotFoundError ||
    thrown instanceof MessageNotFoundError ||
    thrown instanceof InvalidArgumentError
  );
}
