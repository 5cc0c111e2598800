import { type Common, createCommon } from '../../core/common.js';
import { ClosedError, messagesOf, toError } from '../../core/errors.js';
import { outsideText } from '../../core/outside-text.js';
import type { ChangeSet, WriteBatch, WriteOutcome } from '../../model/batch.js';
import { takeBatch } from '../../model/commit/given-batch.js';
import type { ArchiveStorage, LastingRecord } from '../backend-storage.js';
import type { AdvanceEvent, AdvanceListener, Health } from '../storage.js';
import { ColdStorageReader, type Opened } from './cold-storage-reader.js';
import type { ColdMaintenance, MaintenanceOptions } from './maintenance/cold-maintenance.js';
import type { MaintenanceLoop } from './maintenance/maintenance-loop.js';
import {
  type ColdStorageOptions,
  type ColdStorageSettings,
  resolveColdStorageOptions,
} from './namespace/cold-storage-options.js';
import { LastWholeView } from './namespace/last-whole-view.js';
import { ArchiveWriteError } from './namespace/namespace-errors.js';
import type { NamespaceView } from './namespace/view.js';
import { ViewCoverage } from './namespace/view-coverage.js';
import type { ObjectStore } from './object-store/object-store.js';
import { type OpenNamespace, openNamespace, openVerification, rollBack, upgrade } from './open-namespace.js';
import { createFlushMetrics, type FlushMetrics } from './write/flush-metrics.js';

/** The storage over an object store: all records for good, in Delta tables. See `ColdStorageRole`. */
export interface ColdStorage extends Omit<ArchiveStorage, 'kind'> {
  /** `record` in the role `leader`, else `archive`. */
  readonly kind: LastingRecord['kind'] | ArchiveStorage['kind'];
  /** Looks after its files; by itself it does so too, see `compactIntervalMs` and `vacuumIntervalMs`. */
  readonly maintenance: ColdMaintenance;
}

/** Pause of a reader that is behind between two looks at the flushes of others. */
const LOOK_EVERY_MS = 30_000;

/**
 * Creates a cold storage. Nothing is read before the first question or write; the object store stays the caller's.
 * @throws InvalidArgumentError
 */
export function createColdStorage(options: ColdStorageOptions): ColdStorage {
  return new NamespaceStorage(options, resolveColdStorageOptions(options), createCommon(options.common));
}

class NamespaceStorage extends ColdStorageReader implements ColdStorage {
  readonly kind;
  readonly prunable = false;
  readonly durable = true;
  readonly maintenance: ColdMaintenance = {
    describe: () => this.#maintain('describe', {}, async () => await (await this.#open()).maintenance.describe()),
    compact: (options = {}) =>
      this.#maintain('compact', options, async (until) => await (await this.#open()).maintenance.compact(until)),
    vacuum: (options = {}) =>
      this.#maintain('vacuum', options, async (until) => await (await this.#open()).maintenance.vacuum(until)),
    // a damaged namespace cannot be opened
    rollback: (options = {}) =>
      this.#maintain('rollback', options, (until) =>
        rollBack({ store: this.#store, settings: this.#settings, common: this.#common, options: until }),
      ),
    upgrade: ({ from, ...options }) =>
      this.#maintain('upgrade', options, (until) =>
        upgrade({ from, store: this.#store, settings: this.#settings, common: this.#common, options: until }),
      ),
    verify: (options = {}) =>
      this.#maintain('verify', options, async (until) => {
        const verify = await openVerification(this.#store, this.#settings.namespace, this.#common);
        return await verify.run(until);
      }),
  };
  readonly #store: ObjectStore;
  readonly #settings: ColdStorageSettings;
  readonly #common: Common;
  readonly #metrics: FlushMetrics;
  readonly #listeners = new Set<AdvanceListener>();
  #opening: Promise<OpenNamespace> | null = null;
  #parts: OpenNamespace | null = null;
  #closing: Promise<void> | null = null;
  /** On the monotonic clock. */
  #refreshedAtMs = Number.NEGATIVE_INFINITY;
  #cancelLook: () => void = () => undefined;
  /** This process is the writer, and so knows every commit. */
  #writes = false;
  #toldPosition = 0n;
  readonly #whole: LastWholeView;
  /** Runs once this process writes: readers leave maintenance to writers. */
  #loop: MaintenanceLoop | null = null;
  readonly #ending = new AbortController();
  readonly #maintaining = new Set<Promise<unknown>>();

  constructor(options: ColdStorageOptions, settings: ColdStorageSettings, common: Common) {
    super(options.name, new ViewCoverage(options.name, settings.role));
    this.kind = settings.role === 'leader' ? ('record' as const) : ('archive' as const);
    this.#store = options.store;
    this.#settings = settings;
    this.#common = common;
    this.#whole = new LastWholeView(settings.role);
    this.#metrics = createFlushMetrics(common, options.name);
  }

  async insertBatch(batch: WriteBatch): Promise<WriteOutcome> {
    this.requireOpen();
    const taken = takeBatch(batch);
    if (this.#settings.role !== 'leader') throw new ArchiveWriteError(this.name);
    return await this.guard('store a batch', async () => {
      const { leader } = this.#parts ?? (await this.#open());
      this.#writes = true;
      this.#startLoop();
      return await leader.write(taken);
    });
  }

  async apply(set: ChangeSet): Promise<void> {
    this.requireOpen();
    await this.guard('apply changes', async () => {
      // without a pause once it is open: the position is right within this turn
      const { follower } = this.#parts ?? (await this.#open());
      this.#startLoop();
      await follower.apply(set);
    });
  }

  async ready(): Promise<void> {
    this.requireOpen();
    await this.guard('open', () => this.#open());
  }

  async refresh(): Promise<void> {
    this.requireOpen();
    await this.guard('look where it stands', () => this.current(true));
  }

  appliedPosition(): bigint {
    return this.#parts?.follower.position ?? 0n;
  }

  hasUnflushed(): boolean {
    return this.#parts?.follower.hasUnflushed ?? false;
  }

  async flush(): Promise<void> {
    this.requireOpen();
    await this.guard('flush', async () => await (await this.#open()).follower.flush());
  }

  subscribe(listener: AdvanceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async health(): Promise<Health> {
    if (this.isClosed) return { healthy: false, reason: 'closed' };
    try {
      await this.#store.list(`${this.#settings.namespace}/`, { limit: 1 });
      return { healthy: true, reason: null };
    } catch (thrown) {
      return { healthy: false, reason: outsideText(messagesOf(toError(thrown)).join(': ')) };
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  protected async current(fresh: boolean): Promise<Opened> {
    const opened = this.#parts === null;
    const parts = await this.#open();
    const ageMs = this.#common.clock.monotonicMs() - this.#refreshedAtMs;
    const isOld = !this.#writes && ageMs >= this.#settings.refreshIntervalMs;
    const { catalog } = parts;
    if (fresh || catalog.isLost || (isOld && !opened)) {
      const startedMs = this.#common.clock.monotonicMs();
      const view = await (fresh ? catalog.confirm() : catalog.refresh());
      this.#refreshedAtMs = startedMs;
      parts.follower.stands(view);
      this.#advanced(view);
    }
    this.#metrics.cached(parts.reader.cachedBytes);
    const newest = catalog.view;
    return { parts, newest, view: this.#whole.insteadOf(newest) };
  }

  protected async renewed(): Promise<Opened> {
    this.#whole.forget();
    return await this.current(true);
  }

  protected get known(): NamespaceView | null {
    const catalog = this.#parts?.catalog;
    return catalog && !catalog.isLost ? this.#whole.insteadOf(catalog.view) : null;
  }

  protected get isClosed(): boolean {
    return this.#closing !== null;
  }

  protected nowMs(): number {
    return this.#common.clock.nowMs();
  }

  /** A failed opening is tried again by the next call. */
  #open(): Promise<OpenNamespace> {
    this.#opening ??= this.#openOnce().catch((thrown: unknown) => {
      this.#opening = null;
      throw thrown;
    });
    return this.#opening;
  }

  async #openOnce(): Promise<OpenNamespace> {
    const startedMs = this.#common.clock.monotonicMs();
    const parts = await openNamespace({
      name: this.name,
      store: this.#store,
      settings: this.#settings,
      common: this.#common,
      metrics: this.#metrics,
      events: { committed: (changes) => this.#committed(changes), advanced: (view) => this.#advanced(view) },
    });
    this.#refreshedAtMs = startedMs;
    const whole = await parts.catalog.lastWhole();
    if (whole) this.#whole.see(whole);
    this.#toldPosition = parts.catalog.view.position;
    if (this.isClosed) {
      await parts.follower.close();
      throw new ClosedError(`storage ${this.name}`);
    }
    this.#parts = parts;
    if (this.#settings.role === 'reader')
      this.#cancelLook = this.#common.clock.every(LOOK_EVERY_MS, () => this.#lookIfBehind(parts));
    return parts;
  }

  /** A reader without questions would not learn of the flushes of others. */
  #lookIfBehind({ follower, catalog }: OpenNamespace): void {
    if (this.isClosed || follower.position <= catalog.view.position) return;
    this.#maintain('look where it stands', {}, () => this.current(true)).catch((thrown: unknown) =>
      this.#common.log.debug({ err: toError(thrown), storage: this.name }, 'the cold tier could not be looked at'),
    );
  }

  #startLoop(): void {
    if (!this.isClosed) this.#loop ??= this.#parts?.maintain() ?? null;
  }

  /** Calls under way when the storage is closed are aborted, and awaited. */
  async #maintain<T, O extends MaintenanceOptions>(
    operation: string,
    options: O,
    work: (options: O) => Promise<T>,
  ): Promise<T> {
    this.requireOpen();
    const signals = [this.#ending.signal, ...(options.signal ? [options.signal] : [])];
    const working = this.guard(operation, () => work({ ...options, signal: AbortSignal.any(signals) }));
    this.#maintaining.add(working);
    try {
      return await working;
    } finally {
      this.#maintaining.delete(working);
    }
  }

  async #close(): Promise<void> {
    const parts = this.#parts;
    this.#ending.abort();
    this.#cancelLook();
    try {
      await this.#loop?.close();
      await Promise.allSettled(this.#maintaining);
      await parts?.leader.close();
      await this.guard('flush', async () => await parts?.follower.close());
    } finally {
      this.#listeners.clear();
    }
  }

  #committed(changes: ChangeSet): void {
    this.#toldPosition = changes.throughPosition;
    this.#tell({ kind: 'committed', changes });
  }

  #advanced(view: NamespaceView): void {
    this.#whole.see(view);
    const { position } = view;
    if (position <= this.#toldPosition) return;
    this.#toldPosition = position;
    this.#tell({ kind: 'advanced', throughPosition: position });
  }

  #tell(event: AdvanceEvent): void {
    for (const listener of this.#listeners)
      try {
        listener(event);
      } catch (thrown) {
        this.#common.log.error({ err: toError(thrown), storage: this.name }, 'storage listener failed');
      }
  }
}
