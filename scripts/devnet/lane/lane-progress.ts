import type { Hex } from '../../../src/core/hex.js';
import type { ExecutionReport } from './executor.js';
import { MESSAGE_KINDS, type MessageKind } from './message-kinds.js';
import type { SentMessage } from './traffic.js';

/** Steps after sending, in their order. */
export const STEPS = ['indexed', 'verified', 'executed'] as const;

/** A step that a message reaches. */
export type Step = (typeof STEPS)[number];

/** How long messages took, from being submitted, over the last ones that got there. Null: none did. */
export interface StepLatency {
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** How far the messages of one lane and kind are. */
export interface ProgressRow {
  readonly lane: string;
  readonly kind: MessageKind | 'all';
  readonly sent: number;
  readonly reached: Readonly<Record<Step, number>>;
  readonly latency: Readonly<Record<Step, StepLatency | null>>;
}

/** Everything at one moment: plain data. */
export interface ProgressSnapshot {
  readonly elapsedMs: number;
  /** By lane, then kind. */
  readonly rows: readonly ProgressRow[];
  readonly total: ProgressRow;
  /** The step that messages are followed to. */
  readonly goal: Step;
  /** Messages that reached the goal in this run without its traffic having sent them in it. */
  readonly carriedOver: number;
}

/** Follows every message from its sending to its last step. */
export interface LaneProgress {
  sent(message: SentMessage): void;
  /** In any order with `sent`: the indexer may be faster than the sender's own look at the chain. */
  report(report: ExecutionReport): void;
  snapshot(): ProgressSnapshot;
}

/** Quantiles are over this many of the latest messages of a row. */
const LATENCY_SAMPLES = 1_000;

interface Group {
  readonly lane: string;
  readonly kind: MessageKind | 'all';
  sent: number;
  readonly samples: Record<Step, { count: number; readonly lastMs: number[] }>;
}

interface Entry {
  message: SentMessage | null;
  readonly atMs: Partial<Record<Step, number>>;
}

/** Starts counting; `nowMs` is a monotonic clock for the time elapsed, `goal` the last step that is reported. */
export function createLaneProgress(nowMs: () => number, goal: Step = 'executed'): LaneProgress {
  const startedMs = nowMs();
  const total = newGroup('', 'all');
  const groups = new Map<string, Group>();
  /** Messages that are not at the goal yet, or whose sending is not known. */
  const entries = new Map<Hex, Entry>();
  const done = new Set<Hex>();

  function forgetIfDone(messageId: Hex, entry: Entry): void {
    if (!entry.message || entry.atMs[goal] === undefined) return;
    entries.delete(messageId);
    done.add(messageId);
  }

  function entryOf(messageId: Hex): Entry {
    const known = entries.get(messageId) ?? { message: null, atMs: {} };
    entries.set(messageId, known);
    return known;
  }

  function groupOf({ lane, kind }: SentMessage): Group {
    const key = `${lane} ${kind}`;
    const group = groups.get(key) ?? newGroup(lane, kind);
    groups.set(key, group);
    return group;
  }

  function reach(entry: Entry, step: Step, atMs: number | null): void {
    if (atMs === null || entry.atMs[step] !== undefined) return;
    entry.atMs[step] = atMs;
    if (entry.message) count(entry.message, step, atMs);
  }

  function count(message: SentMessage, step: Step, atMs: number): void {
    for (const group of [groupOf(message), total]) {
      const sample = group.samples[step];
      sample.lastMs[sample.count % LATENCY_SAMPLES] = Math.max(0, atMs - message.sentMs);
      sample.count += 1;
    }
  }

  return {
    sent(message) {
      if (done.has(message.messageId)) return;
      const entry = entryOf(message.messageId);
      if (entry.message) return;
      entry.message = message;
      groupOf(message).sent += 1;
      total.sent += 1;
      for (const step of STEPS) {
        const atMs = entry.atMs[step];
        if (atMs !== undefined) count(message, step, atMs);
      }
      forgetIfDone(message.messageId, entry);
    },
    report(report) {
      if (report.executedBefore || done.has(report.messageId)) return;
      const entry = entryOf(report.messageId);
      reach(entry, 'indexed', report.ingestionMs);
      reach(entry, 'verified', report.verifiedMs);
      reach(entry, 'executed', report.executedMs);
      forgetIfDone(report.messageId, entry);
    },
    snapshot() {
      const reachedUnsent = [...entries.values()].filter(({ message, atMs }) => !message && atMs[goal] !== undefined);
      return {
        elapsedMs: nowMs() - startedMs,
        rows: [...groups.values()].map(rowOf).sort(byLaneAndKind),
        total: rowOf(total),
        goal,
        carriedOver: reachedUnsent.length,
      };
    },
  };
}

function byLaneAndKind(a: ProgressRow, b: ProgressRow): number {
  const place = ({ kind }: ProgressRow) => (kind === 'all' ? MESSAGE_KINDS.length : MESSAGE_KINDS.indexOf(kind));
  return a.lane === b.lane ? place(a) - place(b) : a.lane < b.lane ? -1 : 1;
}

function newGroup(lane: string, kind: MessageKind | 'all'): Group {
  const none = () => ({ count: 0, lastMs: [] });
  return { lane, kind, sent: 0, samples: { indexed: none(), verified: none(), executed: none() } };
}

function rowOf({ lane, kind, sent, samples }: Group): ProgressRow {
  const { indexed, verified, executed } = samples;
  return {
    ...{ lane, kind, sent },
    reached: { indexed: indexed.count, verified: verified.count, executed: executed.count },
    latency: {
      indexed: latency(indexed.lastMs),
      verified: latency(verified.lastMs),
      executed: latency(executed.lastMs),
    },
  };
}

function latency(samplesMs: readonly number[]): StepLatency | null {
  if (samplesMs.length === 0) return null;
  const sorted = [...samplesMs].sort((a, b) => a - b);
  const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? 0;
  return { p50Ms: quantile(0.5), p95Ms: quantile(0.95) };
}
