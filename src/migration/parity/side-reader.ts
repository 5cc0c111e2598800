import { type Backoff, backoffMs } from '../../core/backoff.js';
import type { Common } from '../../core/common.js';
import type { Change, ChangeSet } from '../../model/batch.js';
import { readLane } from '../../model/payload.js';
import { CoverageGapError } from '../../model/storage-errors.js';
import type { Lane } from '../../protocol/message.js';
import { headOf } from '../../sink/follow/common-history.js';
import { type BackendStorage, buffers, keepsForGood } from '../../storage/backend-storage.js';
import { type FiledLane, filesLanes } from '../../storage/filed-lanes.js';
import type { Throttle } from '../throttle.js';
import { hashOfRecord } from './record-hash.js';

/** One of the two that are compared. */
export interface ParitySide {
  readonly storage: BackendStorage;
  /** The tier that holds the part that `storage` was relieved of. Absent: it is compared from where it begins. */
  readonly past?: BackendStorage;
}

/** The positions that one backend answered for. */
export interface ComparedPart {
  /** The backend's name. */
  readonly backend: string;
  readonly afterPosition: bigint;
  readonly throughPosition: bigint;
}

/** A record as one side holds it. */
export interface SeenRecord {
  readonly change: Change;
  /** sha256, see `hashOfRecord`. */
  readonly hash: Buffer;
}

/** A follower that catches up with a burst tells no changes until it has. */
const PATIENCE_MS = 60_000;
const PATIENCE: Backoff = { baseMs: 20, maxMs: 1_000 };
/** Stands for a lane that lists with chain filters do not know. */
const NOWHERE: Lane = { sourceChainSelector: -1n, destChainSelector: -1n };

/** Reads the changes of one side page by page, in position order. */
export class SideReader {
  readonly #side: ParitySide;
  readonly #common: Pick<Common, 'clock' | 'random'>;
  readonly #throttle: Throttle | null;
  readonly #signal: AbortSignal | undefined;
  readonly #parts: ComparedPart[] = [];
  #page: readonly Change[] = [];
  #lanes: ReadonlyMap<bigint, FiledLane> | null = null;
  #next = 0;
  #throughPosition = -1n;

  constructor(
    side: ParitySide,
    common: Pick<Common, 'clock' | 'random'>,
    options: { readonly throttle?: Throttle | undefined; readonly signal?: AbortSignal | undefined } = {},
  ) {
    this.#side = side;
    this.#common = common;
    this.#throttle = options.throttle ?? null;
    this.#signal = options.signal;
  }

  /** The backends that answered, each with its positions. */
  get parts(): readonly ComparedPart[] {
    return this.#parts;
  }
  /** Every change up to this is read. */
  get throughPosition(): bigint {
    return this.#throughPosition;
  }

  /** The last position for which the side holds everything, asked anew. */
  async head(): Promise<bigint> {
    const { storage } = this.#side;
    if (!keepsForGood(storage)) return (await this.#patiently(() => headOf(storage))).headPosition;
    if (buffers(storage)) await storage.refresh();
    else await storage.ready();
    return storage.coverage().throughPosition;
  }

  /** The position above which the side can tell its changes. */
  async begin(): Promise<bigint> {
    const { storage, past } = this.#side;
    if (past && keepsForGood(past)) await past.refresh();
    const coverage = storage.coverage();
    const earlier = past?.coverage();
    const isJoined = earlier !== undefined && earlier.throughPosition >= coverage.afterPosition;
    return isJoined && earlier.afterPosition < coverage.afterPosition ? earlier.afterPosition : coverage.afterPosition;
  }

  /**
   * Reads on when everything up to `position` was taken.
   * @returns where the page begins: above `position` when the side has forgotten the changes between.
   */
  async fill(position: bigint, limit: number): Promise<bigint> {
    if (this.#throughPosition > position) return position;
    await this.#throttle?.take(limit, this.#signal);
    const beganMs = this.#common.clock.monotonicMs();
    const { set, backend } = await this.#changesAfter(position, limit);
    this.#lanes = filesLanes(backend) ? await backend.filedLanes(set.afterPosition, set.throughPosition) : null;
    this.#throttle?.answered(this.#common.clock.monotonicMs() - beganMs);
    this.#page = set.changes;
    this.#next = 0;
    this.#throughPosition = set.throughPosition;
    this.#answered(backend.name, set);
    return set.afterPosition;
  }

  /** The records up to a position that were not taken yet. */
  take(throughPosition: bigint): SeenRecord[] {
    const taken: SeenRecord[] = [];
    for (let change = this.#page[this.#next]; change && change.position <= throughPosition; ) {
      taken.push({ change, hash: hashOfRecord(change, this.#misfiled(change)) });
      this.#next += 1;
      change = this.#page[this.#next];
    }
    return taken;
  }

  /** Passes over the records up to a position. */
  skip(throughPosition: bigint): void {
    while ((this.#page[this.#next]?.position ?? throughPosition + 1n) <= throughPosition) this.#next += 1;
  }

  /**
   * The changes above a position until now, page by page.
   * @throws CoverageGapError when the side has forgotten some of them.
   */
  async *tail(afterPosition: bigint, limit: number): AsyncGenerator<ChangeSet> {
    for (let position = afterPosition; ; ) {
      const { set, backend } = await this.#changesAfter(position, limit);
      if (set.afterPosition > position)
        throw new CoverageGapError({ kind: 'position', afterPosition: position }, `storage ${backend.name}`);
      yield set;
      if (set.throughPosition >= set.headPosition) return;
      position = set.throughPosition;
    }
  }

  /** Null: listed where its bytes say, or there is no telling. */
  #misfiled(change: Change): Lane | null {
    if (!this.#lanes || (change.kind !== 'message' && change.kind !== 'verifierResult')) return null;
    const filed = this.#lanes.get(change.position);
    if (!filed) return null;
    const { sourceChainSelector, destChainSelector } = readLane(change.record.encodedMessage);
    const isRight = filed.sourceChainSelector === sourceChainSelector && filed.destChainSelector === destChainSelector;
    if (!isRight) return filed;
    return filed.isKnown ? null : NOWHERE;
  }

  async #changesAfter(position: bigint, limit: number): Promise<{ set: ChangeSet; backend: BackendStorage }> {
    const { storage, past } = this.#side;
    try {
      return { set: await this.#patiently(() => storage.changesAfter(position, limit)), backend: storage };
    } catch (thrown) {
      if (!(thrown instanceof CoverageGapError)) throw thrown;
      const { afterPosition } = storage.coverage();
      if (afterPosition <= position) throw thrown;
      if (!past) return { set: await storage.changesAfter(afterPosition, limit), backend: storage };
      if (keepsForGood(past)) await past.refresh();
      return { set: await past.changesAfter(position, limit), backend: past };
    }
  }

  /** Waits while the storage catches up; one that has forgotten the changes is not waited for. */
  async #patiently<T>(read: () => Promise<T>): Promise<T> {
    const { clock, random } = this.#common;
    const untilMs = clock.monotonicMs() + PATIENCE_MS;
    for (let attempt = 0; ; attempt += 1)
      try {
        return await read();
      } catch (thrown) {
        const isWhole = this.#side.storage.coverage().throughMs >= 0;
        if (!(thrown instanceof CoverageGapError) || isWhole || clock.monotonicMs() > untilMs) throw thrown;
        await clock.sleep(backoffMs(PATIENCE, attempt, random), this.#signal);
      }
  }

  #answered(backend: string, { afterPosition, throughPosition }: ChangeSet): void {
    const last = this.#parts.at(-1);
    if (last?.backend === backend && last.throughPosition === afterPosition)
      this.#parts[this.#parts.length - 1] = { ...last, throughPosition };
    else if (throughPosition > afterPosition) this.#parts.push({ backend, afterPosition, throughPosition });
  }
}
