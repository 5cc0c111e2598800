import type { Common } from '../../../core/common.js';
import { AbortedError, IndexerError, toError } from '../../../core/errors.js';
import type { MaintenanceMetrics } from './maintenance-metrics.js';
import type { OpenMaintenance } from './maintenance-tasks.js';

/** Intervals are stretched by up to this part, so that several followers of one namespace do not set out together. */
const JITTER = 0.5;

/**
 * Compacts and vacuums from time to time, until it is closed
 *
 *     waiting ── interval ──→ compacting or vacuuming ──→ waiting
 *        └────── close: the running task is aborted between two steps, and awaited ──→ closed
 *
 * One task at a time; one that failed is tried again after its interval. Flushes do not wait for it: it takes no
 * lock.
 */
export class MaintenanceLoop {
  readonly #name: string;
  readonly #common: Common;
  readonly #maintenance: OpenMaintenance;
  readonly #metrics: MaintenanceMetrics;
  readonly #abort = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(parts: {
    readonly name: string;
    readonly common: Common;
    readonly maintenance: OpenMaintenance;
    readonly metrics: MaintenanceMetrics;
    /** 0 = never. */
    readonly compactIntervalMs: number;
    /** 0 = never. */
    readonly vacuumIntervalMs: number;
  }) {
    this.#name = parts.name;
    this.#common = parts.common;
    this.#maintenance = parts.maintenance;
    this.#metrics = parts.metrics;
    this.#running = Promise.all([
      this.#repeat('compact', parts.compactIntervalMs, (signal) => this.#maintenance.compact({ signal })),
      this.#repeat('vacuum', parts.vacuumIntervalMs, (signal) => this.#maintenance.vacuum({ signal })),
    ]);
  }

  /** Aborts the running task and awaits it. Idempotent. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #repeat(task: 'compact' | 'vacuum', intervalMs: number, run: (signal: AbortSignal) => Promise<unknown>) {
    const { signal } = this.#abort;
    if (intervalMs <= 0) return;
    while (await this.#wait(intervalMs * (1 + this.#common.random() * JITTER)))
      try {
        await run(signal);
      } catch (thrown) {
        if (thrown instanceof AbortedError && signal.aborted) return;
        this.#metrics.failed(task, thrown instanceof IndexerError ? thrown.code : 'UNKNOWN');
        this.#common.log.warn({ err: toError(thrown), storage: this.#name, task }, 'cold maintenance failed');
      }
  }

  /** False when it was closed meanwhile. A timer that does not keep the process alive. */
  #wait(durationMs: number): Promise<boolean> {
    const { signal } = this.#abort;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(false);
      const onAbort = () => {
        cancel();
        resolve(false);
      };
      const cancel = this.#common.clock.after(durationMs, () => {
        signal.removeEventListener('abort', onAbort);
        resolve(!signal.aborted);
      });
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
