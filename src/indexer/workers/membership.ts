import type { BatchWriter } from '../../chains/chain-port.js';
import { type Alarm, createAlarm } from '../../core/alarm.js';
import type { Common } from '../../core/common.js';
import { AbortedError, IndexerError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import type { Lease } from '../../model/batch.js';
import { LeaseLostError } from '../../model/storage-errors.js';
import type { VerifierReport } from '../../model/verifier-report.js';
import type { LeaseStore, Shares } from '../../storage/lease-store.js';
import { assignSources, type HashedMember, hashMembers, memberForTask } from './assignment.js';
import { createMembershipMetrics, type MembershipMetrics } from './membership-metrics.js';

/** A source's work: ends soon after `signal` aborts, and only when nothing is under way any more. Must not throw. */
export type SourceWork = (signal: AbortSignal) => Promise<void>;

/**
 * `elsewhere`: another member owns it, or none does yet · `owned` · `leaving`: assigned to another member, and its last
 * commit is awaited · `lost`: another member took it, and its work is ending.
 */
export type OwnedState = 'elsewhere' | 'owned' | 'leaving' | 'lost';

/** For the status page: this worker's own view. */
export interface MembershipStatus {
  /** Null: this process shares nothing with others. */
  readonly member: string | null;
  /** The last beat that was stored, unix ms; null before the first. */
  readonly lastBeatMs: number | null;
  readonly sources: readonly { readonly source: string; readonly state: OwnedState; readonly epoch: bigint | null }[];
}

/** The part of the tasks that is this worker's. */
export interface TaskShare {
  isMine(messageId: Hex): boolean;
  /** Told after every change of the members. */
  onChange(listener: () => void): void;
}

/** The place of this process among those that share sources and tasks. */
export interface Membership extends TaskShare {
  /** A writer for a source's work: each batch is stored only while this process owns the source. */
  fence(source: string, writer: BatchWriter): BatchWriter;
  /**
   * Takes part until `signal` aborts: each work runs while its source is owned here, and has ended before the source is
   * another's. Everything is given back when it resolves. Once only.
   */
  run(works: ReadonlyMap<string, SourceWork>, signal: AbortSignal): Promise<void>;
  /** Resolves once the members are known, or `signal` aborts. */
  joined(signal: AbortSignal): Promise<void>;
  status(): MembershipStatus;
}

/** The parts of a membership. */
export interface MembershipOptions {
  /** A name that no other process has or had. */
  readonly member: string;
  readonly store: LeaseStore;
  readonly common: Common;
  /** True for a member that has surely ended: it is taken out before its lease ends. Default: always false. */
  readonly hasEnded?: (member: string) => boolean;
  /** How its verifiers are doing, told with each beat. Default: it has none. */
  readonly verifiers?: () => readonly VerifierReport[];
  /** How long a member counts as there after a beat. Default 6 s. */
  readonly leaseMs?: number;
  /** Between two beats. Default 1 s. */
  readonly beatMs?: number;
}

/** Creates the membership of a worker; `run` joins. */
export function createMembership(options: MembershipOptions): Membership {
  return new SharedMembership(options);
}

interface Source {
  readonly name: string;
  readonly work: SourceWork;
  state: OwnedState;
  lease: Lease | null;
  /** Of the work; aborted when the lease is to end. */
  term: AbortController;
  /** The work under way; null: it has ended, or never began. */
  running: Promise<void> | null;
}

const TERM_OVER = new AbortedError('term of a source');

/**
 * A worker is a member while it beats. With each beat it sees all members and leases, and does with each source that it
 * is configured with what `assignSources` says:
 *
 * ```
 *            free, or its owner is gone: take                assigned to another member
 *  elsewhere ───────────────────────────────► owned ─────────────────────────────────────► leaving
 *      ▲  ▲                                     │ a commit is refused, or a beat shows             │
 *      │  │                                     │ another epoch                                    │
 *      │  └──────── work has ended ◄── lost ◄───┴──────────────────────────────────────────────────┤
 *      └──────────────────────── work has ended (its commit too), released with the next beat ◄────┘
 * ```
 *
 * - Whether a lease stands is decided by the storage alone, in the transaction of each write and by its own clock. A
 *   member that is cut off goes on and stores nothing; it hears of its losses with its next beat, or the first commit
 *   that is refused.
 * - A source's work of one term has ended before its next term begins: `fence` gives each batch the lease of its term.
 * - A member that has ended is taken out by any that knows, before its lease ends: the one that ran on this machine
 *   before a crash. Were it alive after all, it would lose its sources and come back with its next beat.
 * - At the end the works end first, then everything is released at once, and the member is gone.
 */
class SharedMembership implements Membership {
  readonly #options: Required<Omit<MembershipOptions, 'common'>>;
  readonly #common: Common;
  readonly #alarm: Alarm;
  readonly #metrics: MembershipMetrics;
  readonly #sources = new Map<string, Source>();
  readonly #listeners: (() => void)[] = [];
  #members: readonly HashedMember[] = [];
  #lastBeatMs: number | null = null;
  #isFailing = false;

  constructor({ common, ...options }: MembershipOptions) {
    this.#options = { leaseMs: 6_000, beatMs: 1_000, hasEnded: () => false, verifiers: () => [], ...options };
    this.#common = common;
    this.#alarm = createAlarm(common.clock);
    this.#metrics = createMembershipMetrics(common.metrics);
  }

  isMine(messageId: Hex): boolean {
    return memberForTask(this.#members, messageId) === this.#options.member;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  fence(name: string, writer: BatchWriter): BatchWriter {
    return {
      insertBatch: async (batch) => {
        const source = this.#sources.get(name);
        const lease = source?.lease;
        if (!source || !lease)
          throw new LeaseLostError({ source: name, owner: this.#options.member, epoch: 0n }, undefined);
        try {
          return await writer.insertBatch({ ...batch, lease });
        } catch (thrown) {
          if (thrown instanceof LeaseLostError) this.#lose(source, lease);
          throw thrown;
        }
      },
    };
  }

  async joined(signal: AbortSignal): Promise<void> {
    if (this.#members.length > 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.onChange(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async run(works: ReadonlyMap<string, SourceWork>, signal: AbortSignal): Promise<void> {
    for (const [name, work] of works)
      this.#sources.set(name, {
        ...{ name, work, state: 'elsewhere', lease: null, term: new AbortController(), running: null },
      });
    try {
      while (!signal.aborted) {
        await this.#turn(signal);
        await this.#alarm.pause(this.#options.beatMs, signal);
      }
    } finally {
      for (const { term } of this.#sources.values()) term.abort(TERM_OVER);
      await Promise.all([...this.#sources.values()].map(({ running }) => running));
      await this.#leave();
    }
  }

  status(): MembershipStatus {
    return {
      member: this.#options.member,
      lastBeatMs: this.#lastBeatMs,
      sources: [...this.#sources.values()].map(({ name, state, lease }) => ({
        ...{ source: name, state, epoch: lease?.epoch ?? null },
      })),
    };
  }

  /** Never throws what the storage says: the next turn tries again. */
  async #turn(signal: AbortSignal): Promise<void> {
    const { member, store, leaseMs, hasEnded, verifiers } = this.#options;
    try {
      const given = [...this.#sources.values()].filter(({ state, running }) => state === 'leaving' && running === null);
      const released = given.flatMap(({ lease }) => lease ?? []);
      const self = { member, sources: [...this.#sources.keys()], verifiers: verifiers() };
      let shares = await store.beat(self, leaseMs, released);
      for (const source of given) this.#end(source);
      const ended = shares.members.filter((other) => hasEnded(other.member));
      for (const other of ended) await this.#bury(other.member);
      if (ended.length > 0) shares = await store.beat(self, leaseMs, []);
      this.#metrics.beat(true);
      this.#lastBeatMs = this.#common.clock.nowMs();
      const wanted = this.#see(shares);
      if (wanted.length > 0 && !signal.aborted)
        for (const lease of await store.take(member, wanted)) this.#begin(lease);
      this.#isFailing = false;
    } catch (thrown) {
      if (!(thrown instanceof IndexerError)) throw thrown;
      this.#metrics.beat(false);
      const level = this.#isFailing ? 'debug' : 'warn';
      this.#isFailing = true;
      this.#common.log[level]({ err: thrown, member }, 'this worker cannot renew its leases: trying again');
    }
    this.#metrics.owned([...this.#sources.values()].filter(({ lease }) => lease !== null).length);
  }

  async #bury(member: string): Promise<void> {
    this.#common.log.info({ member }, 'a worker of this machine has ended: its sources are free');
    await this.#options.store.leave(member);
  }

  /** @returns the free sources that are to be taken. */
  #see(shares: Shares): readonly string[] {
    const { member } = this.#options;
    this.#setMembers(shares);
    const assigned = assignSources(shares);
    const leases = new Map(shares.leases.map((lease) => [lease.source, lease]));
    const there = new Set(shares.members.map((each) => each.member));
    const wanted: string[] = [];
    for (const source of this.#sources.values()) {
      const found = leases.get(source.name);
      const isAssigned = assigned.get(source.name) === member;
      if (source.lease && (found?.owner !== member || found.epoch !== source.lease.epoch))
        this.#lose(source, source.lease);
      else if (source.state === 'owned' && !isAssigned) this.#handOver(source);
      if (source.state !== 'elsewhere') continue;
      const owner = found?.owner ?? null;
      // owned without knowing it: the answer of a take was lost; one that is another's by now is handed over properly
      if (owner === member || (isAssigned && (owner === null || !there.has(owner)))) wanted.push(source.name);
    }
    return wanted;
  }

  #setMembers({ members }: Shares): void {
    this.#metrics.members(members.length);
    const isSame =
      members.length === this.#members.length &&
      members.every(({ member }, index) => member === this.#members[index]?.member);
    if (isSame) return;
    this.#common.log.info({ members: members.map(({ member }) => member) }, 'the workers have changed');
    this.#members = hashMembers(members);
    for (const listener of this.#listeners) listener();
  }

  #begin(lease: Lease): void {
    const source = this.#sources.get(lease.source);
    if (!source) return;
    this.#common.log.info({ source: lease.source, epoch: String(lease.epoch) }, 'this worker owns the source');
    const term = new AbortController();
    Object.assign(source, { lease, term, state: 'owned' });
    source.running = source.work(term.signal).finally(() => {
      source.running = null;
      // another member may be waiting for the source
      if (term.signal.aborted) this.#alarm.wake();
      if (source.state === 'lost') this.#end(source);
    });
  }

  #handOver(source: Source): void {
    this.#common.log.info({ source: source.name }, 'the source is given to another worker');
    source.state = 'leaving';
    source.term.abort(TERM_OVER);
  }

  #lose(source: Source, lease: Lease): void {
    if (source.lease !== lease || source.state === 'lost') return;
    this.#metrics.lost();
    const named = { source: source.name, epoch: String(lease.epoch) };
    this.#common.log.warn(named, 'another worker has taken the source: this one stops working on it');
    source.state = 'lost';
    source.term.abort(TERM_OVER);
    if (source.running === null) this.#end(source);
  }

  #end(source: Source): void {
    source.state = 'elsewhere';
    source.lease = null;
  }

  /** A member that cannot say so is gone when its lease is over. */
  async #leave(): Promise<void> {
    for (const source of this.#sources.values()) this.#end(source);
    this.#metrics.owned(0);
    try {
      await this.#options.store.leave(this.#options.member);
    } catch (thrown) {
      if (!(thrown instanceof IndexerError)) throw thrown;
      this.#common.log.warn(
        { err: thrown },
        'this worker cannot release its sources: others wait until its lease ends',
      );
    }
  }
}
