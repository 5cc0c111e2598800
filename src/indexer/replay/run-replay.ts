import type { Common } from '../../core/common.js';
import { AbortedError, toError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import type { Lease, WriteBatch, WriteOutcome } from '../../model/batch.js';
import { LeaseLostError } from '../../model/storage-errors.js';
import type { ReplayJob, ReplayJobs } from '../../storage/replay-jobs.js';
import { patiently } from './patience.js';
import type { ReplaySource, ReplayStep } from './replay-source.js';

/** How far a replay is. A step that is done again after a crash counts twice, its records as duplicates. */
export interface ReplayProgress {
  readonly read: number;
  readonly total: number | null;
  readonly unit: string;
  /** Records that were not stored before. */
  readonly messages: number;
  readonly verifierResults: number;
  /** Stored messages that took a place on their chain, or came back to the lists. */
  readonly updated: number;
  readonly duplicates: number;
  /** Records that a source gives with other bytes: the stored ones stay. */
  readonly conflicts: number;
  readonly quarantined: number;
  /** Stored results that gave way to others. */
  readonly replaced: number;
  /** Messages that no source knows: how many, and the first of them. */
  readonly unknown: number;
  readonly unknownIds: readonly Hex[];
}

/** The parts of a run. */
export interface ReplayRunOptions {
  readonly jobs: ReplayJobs;
  readonly job: ReplayJob;
  readonly lease: Lease;
  readonly leaseMs: number;
  readonly source: ReplaySource;
  /** Stored results are replaced where the source gives other bytes. */
  readonly replaces: boolean;
  readonly storage: { insertBatch(batch: WriteBatch): Promise<WriteOutcome> };
  readonly common: Common;
  readonly onProgress: (progress: ReplayProgress) => void;
}

/** The rest of the unknown ids is counted only. */
const UNKNOWN_KEPT = 1_000;
const BEATS_A_LEASE = 5;

/**
 * Runs a job from its cursor to its end: the batch of each step is stored under the lease, then the cursor moves. A
 * step whose cursor did not move is done again by the next runner, and writes nothing twice (promise 2).
 *
 * The job ends as `done`, as `stopped` when `signal` aborts, or as `failed`.
 * @throws AbortedError after `stopped`; LeaseLostError when another took the job; the error after `failed`.
 */
export async function runReplay(options: ReplayRunOptions, signal: AbortSignal): Promise<ReplayProgress> {
  const { jobs, lease, common } = options;
  const stop = new AbortController();
  let lost: LeaseLostError | null = null;
  const beating = beat(options, stop.signal, (error) => {
    lost = error;
    stop.abort();
  });
  const end = async (state: 'done' | 'stopped' | 'failed', error: string | null) => {
    stop.abort();
    await beating;
    await patiently(common, new AbortController().signal, () => jobs.end(lease, state, error));
  };
  try {
    const progress = await readAll(options, AbortSignal.any([signal, stop.signal]));
    await end('done', null);
    return progress;
  } catch (thrown) {
    const error = lost ?? toError(thrown);
    if (error instanceof LeaseLostError) throw error;
    const isStopped = signal.aborted && error instanceof AbortedError;
    await end(isStopped ? 'stopped' : 'failed', isStopped ? null : error.message);
    throw error;
  } finally {
    stop.abort();
    await beating;
  }
}

async function readAll(options: ReplayRunOptions, signal: AbortSignal): Promise<ReplayProgress> {
  const { jobs, job, lease, leaseMs, source, storage, common, onProgress } = options;
  const force = options.replaces ? { replacesFor: job.id } : {};
  let progress = progressOf(job) ?? emptyProgress(source);
  onProgress(progress);
  for await (const step of source.steps(job.cursor, signal)) {
    const { batch, cursor } = step;
    const outcome =
      batch && (await patiently(common, signal, () => storage.insertBatch({ ...batch, ...force, lease })));
    progress = advanced(progress, step, outcome);
    const written = { cursor, progress: JSON.stringify(progress) };
    await patiently(common, signal, () => jobs.beat(lease, leaseMs, written));
    onProgress(progress);
    if (signal.aborted) throw new AbortedError('replay');
  }
  return progress;
}

/** Until `signal` aborts, or the lease is lost. */
async function beat(
  { jobs, lease, leaseMs, common }: ReplayRunOptions,
  signal: AbortSignal,
  onLost: (error: LeaseLostError) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await common.clock.sleep(leaseMs / BEATS_A_LEASE, signal);
      await jobs.beat(lease, leaseMs);
    } catch (thrown) {
      if (signal.aborted) return;
      if (thrown instanceof LeaseLostError) return onLost(thrown);
      common.log.warn({ err: toError(thrown), job: lease.source }, 'a replay could not give a sign of life');
    }
  }
}

/** The progress of a job as its last runner left it; null: it did no step. */
export function progressOf({ progress }: Pick<ReplayJob, 'progress'>): ReplayProgress | null {
  return progress === null ? null : (JSON.parse(progress) as ReplayProgress);
}

function emptyProgress({ total, unit }: ReplaySource): ReplayProgress {
  return {
    ...{ read: 0, total, unit, messages: 0, verifierResults: 0, updated: 0, duplicates: 0 },
    ...{ conflicts: 0, quarantined: 0, replaced: 0, unknown: 0, unknownIds: [] },
  };
}

function advanced(before: ReplayProgress, step: ReplayStep, outcome: WriteOutcome | null): ReplayProgress {
  const { messages = [], verifierResults = [], conflicts = [] } = outcome ?? {};
  const count = (all: readonly string[], ...wanted: readonly string[]) =>
    all.filter((each) => wanted.includes(each)).length;
  const { unknown = [] } = step;
  return {
    ...before,
    read: before.read + step.read,
    messages: before.messages + count(messages, 'inserted'),
    verifierResults: before.verifierResults + count(verifierResults, 'inserted'),
    updated: before.updated + count(messages, 'updated', 'returned'),
    duplicates: before.duplicates + count(messages, 'duplicate') + count(verifierResults, 'duplicate'),
    conflicts: before.conflicts + conflicts.length,
    replaced: before.replaced + count(verifierResults, 'replaced'),
    quarantined: before.quarantined + (step.batch?.quarantine?.length ?? 0),
    unknown: before.unknown + unknown.length,
    unknownIds: [...before.unknownIds, ...unknown].slice(0, UNKNOWN_KEPT),
  };
}
