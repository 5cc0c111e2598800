import { LRUCache } from 'lru-cache';
import { toEventSelector } from 'viem';
import type { Common } from '../../core/common.js';
import { IndexerError, toError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import { createTurns } from '../../core/turns.js';
import {
  type CommitteeQuestion,
  type CommitteeReading,
  CommitteeUnreadableError,
  type Freshness,
} from '../../protocol/committee-reading.js';
import { RpcRefusedError, RpcTooManyResultsError } from '../rpc/rpc-errors.js';
import type { RpcNode } from '../rpc/rpc-node.js';
import type { RpcPool } from '../rpc/rpc-pool.js';
import { readCommittee, readHead } from './committee-contracts.js';

/** Events by which a configuration changes, of verifiers, resolvers and the proxies before these. */
const CHANGES: readonly Hex[] = [
  'SignatureConfigSet(uint64,address[],uint8)',
  'InboundImplementationUpdated(bytes4,address,address)',
  'InboundImplementationRemoved(bytes4)',
  'TargetUpdated(address,address)',
].map((event) => toEventSelector(event));

/** Beyond that a configuration is read again: a reorg may have replaced a change that was seen. */
const MAX_AGE_MS = 300_000;
/** The age of a `recent` reading, and the one that it may have where no node tells of events. */
const RECENT_MS = 2_000;
const RECENT_WITHOUT_EVENTS_MS = 15_000;
/** Between two looks for events, and between two readings of one committee. */
const LEAST_PAUSE_MS = 1_000;
/** Blocks of one look; after more of them everything is read again. */
const MAX_LOOK_BLOCKS = 2_000n;
/** For which a node that serves no logs is not asked for them. */
const WITHOUT_LOGS_MS = 60_000;
/** For which a chain is left alone whose nodes did not answer. */
const REST_MS = 2_000;
/** A hostile verifier can name any resolver and any tag. */
const MAX_ENTRIES = 1_000;
const READS_AT_ONCE = 4;

interface Entry {
  /** Start of the reading, on the monotonic clock. */
  readonly readMs: number;
  /** Start of the last look after which it still held; of the reading, before one. */
  holdsMs: number;
  readonly reading: Promise<CommitteeReading>;
  /** Null until it is read. */
  block: bigint | null;
}

/** One look for events. */
interface Look {
  readonly startMs: number;
  readonly done: Promise<void>;
}

/**
 * The committees of one destination chain, each read when it is first asked for and kept. A look for the events of all
 * contracts, at most one at a time and shared by all askers, tells whether they still hold: those that were read before
 * an event are read again. Nothing runs while nothing is asked.
 */
export class DestinationCommittees {
  readonly #name: string;
  readonly #rpc: RpcPool;
  readonly #common: Common;
  readonly #signal: AbortSignal;
  readonly #entries = new LRUCache<string, Entry>({ max: MAX_ENTRIES });
  readonly #turns = createTurns(READS_AT_ONCE);
  #look: Look = { startMs: Number.NEGATIVE_INFINITY, done: Promise.resolve() };
  #nextLook: Promise<void> | null = null;
  /** Events up to this block are known; null: there was no entry. */
  #through: bigint | null = null;
  #withoutLogsUntilMs = Number.NEGATIVE_INFINITY;
  #failure: { readonly error: CommitteeUnreadableError; readonly untilMs: number } | null = null;

  constructor(options: {
    readonly name: string;
    readonly rpc: RpcPool;
    readonly common: Common;
    readonly signal: AbortSignal;
  }) {
    this.#name = options.name;
    this.#rpc = options.rpc;
    this.#common = options.common;
    this.#signal = options.signal;
  }

  /** @throws CommitteeUnreadableError */
  async read(question: CommitteeQuestion, freshness: Freshness): Promise<CommitteeReading> {
    const askedMs = this.#nowMs();
    if (this.#failure && askedMs < this.#failure.untilMs) throw this.#failure.error;
    try {
      const reading = await this.#read(question, askedMs, freshness);
      this.#failure = null;
      return reading;
    } catch (thrown) {
      const error = new CommitteeUnreadableError(this.#name, toError(thrown));
      this.#failure = { error, untilMs: this.#nowMs() + REST_MS };
      throw error;
    }
  }

  async #read(question: CommitteeQuestion, askedMs: number, freshness: Freshness): Promise<CommitteeReading> {
    const key = `${question.resolver} ${question.sourceChainSelector} ${question.tag}`;
    const isRecent = freshness === 'recent';
    const wantedMs = isRecent ? askedMs - RECENT_MS : askedMs;
    const kept = this.#entries.get(key);
    if (kept && kept.holdsMs < wantedMs && this.#nowMs() >= this.#withoutLogsUntilMs) {
      try {
        await this.#lookSince(wantedMs);
      } catch (thrown) {
        if (!isRecent || !(thrown instanceof IndexerError)) throw thrown;
      }
    }
    const leastMs = isRecent ? askedMs - RECENT_WITHOUT_EVENTS_MS : askedMs;
    for (;;) {
      const entry = this.#entries.get(key);
      if (entry && entry.holdsMs >= leastMs && askedMs - entry.readMs < MAX_AGE_MS) return await entry.reading;
      const pauseMs = entry ? entry.readMs + LEAST_PAUSE_MS - this.#nowMs() : 0;
      if (pauseMs <= 0) return await this.#begin(key, question).reading;
      await this.#common.clock.sleep(pauseMs, this.#signal);
    }
  }

  #begin(key: string, question: CommitteeQuestion): Entry {
    const reading = this.#turns.run(() => this.#ask((node) => readCommittee(node, question)));
    const readMs = this.#nowMs();
    const entry: Entry = { readMs, holdsMs: readMs, reading, block: null };
    this.#entries.set(key, entry);
    const isKept = () => this.#entries.peek(key) === entry;
    reading.then(
      ({ block }) => {
        entry.block = block;
        // a node that is behind may have told the state before an event that was seen
        if (isKept() && (this.#through === null || block < this.#through)) this.#through = block;
      },
      () => isKept() && this.#entries.delete(key),
    );
    return entry;
  }

  /** Resolves after a look that began at `sinceMs` or later. */
  #lookSince(sinceMs: number): Promise<void> {
    if (this.#look.startMs >= sinceMs) return this.#look.done;
    this.#nextLook ??= this.#lookNext(this.#look);
    return this.#nextLook;
  }

  async #lookNext(last: Look): Promise<void> {
    try {
      await Promise.allSettled([last.done]);
      const pauseMs = last.startMs + LEAST_PAUSE_MS - this.#nowMs();
      if (pauseMs > 0) await this.#common.clock.sleep(pauseMs, this.#signal);
      this.#look = { startMs: this.#nowMs(), done: this.#lookForEvents(this.#nowMs()) };
    } finally {
      this.#nextLook = null;
    }
    await this.#look.done;
  }

  async #lookForEvents(startMs: number): Promise<void> {
    const through = this.#through;
    if (through === null) return;
    const { head, changedAt } = await this.#ask((node) => this.#lookAt(node, through));
    if (changedAt === 'unknown') {
      this.#withoutLogsUntilMs = startMs + WITHOUT_LOGS_MS;
      return;
    }
    for (const [key, entry] of [...this.#entries.entries()]) {
      const { block } = entry;
      // one that is being read may tell the state before the event
      if (changedAt !== null && (block === null || block < changedAt)) this.#entries.delete(key);
      else if (block !== null && block >= through) entry.holdsMs = Math.max(entry.holdsMs, startMs);
    }
    // a reading that came meanwhile may lie further back
    if (this.#through === through && head > through) this.#through = head;
  }

  /** The block of the last event above `through`; null: there is none; `unknown`: the node serves no logs. */
  async #lookAt(node: RpcNode, through: bigint) {
    const head = await readHead(node);
    if (head <= through) return { head, changedAt: null };
    if (head - through > MAX_LOOK_BLOCKS) return { head, changedAt: head + 1n };
    try {
      const blocks = { from: Number(through + 1n), to: Number(head) };
      const last = (await node.logs({ topic0: CHANGES, blocks })).at(-1);
      return { head, changedAt: last ? BigInt(last.blockNumber) : null };
    } catch (thrown) {
      if (thrown instanceof RpcRefusedError || thrown instanceof RpcTooManyResultsError)
        return { head, changedAt: 'unknown' as const };
      throw thrown;
    }
  }

  async #ask<T>(operation: (node: RpcNode) => Promise<T>): Promise<T> {
    return await this.#rpc.withNode(operation, this.#signal);
  }

  #nowMs(): number {
    return this.#common.clock.monotonicMs();
  }
}
