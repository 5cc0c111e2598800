import type { Clock } from '../core/clock.js';
import { IndexerError, toError } from '../core/errors.js';
import type { StoredSpan, Tracing } from '../core/tracing.js';
import type { ChangeSet, WriteBatch, WriteOutcome } from '../model/batch.js';
import { StorageFailureError, StorageUnavailableError } from '../model/storage-errors.js';
import type { Storage } from '../storage/storage.js';
import type { Backend } from './backend.js';
import type { Follower } from './follow/follower.js';
import type { ReadFloor } from './read/read-floor.js';
import { type BackendFailure, SinkWriteError } from './sink-write-error.js';
import { succeedsWithin } from './within.js';

interface Following extends Backend {
  readonly follower: Follower;
}

/**
 * Writes to the leader, then waits for the followers that must hold the write: required followers, and in-process ones
 * while they are current. A follower that is not required is never waited for longer than it takes it to fail; before
 * the first write not longer than `contactWaitMs` from the start on either, because one that says nothing fails late.
 */
export class SinkWriter {
  readonly #leader: Storage;
  readonly #following: readonly Following[];
  readonly #required: readonly Following[];
  readonly #inProcess: readonly Following[];
  readonly #durable: readonly Following[];
  readonly #floor: ReadFloor;
  readonly #clock: Clock;
  readonly #tracing: Tracing | null;
  readonly #contactUntilMs: number;
  #contacted = false;

  constructor(parts: {
    readonly leader: Storage;
    readonly backends: readonly Backend[];
    readonly floor: ReadFloor;
    readonly clock: Clock;
    readonly tracing: Tracing | null;
    readonly contactWaitMs: number;
  }) {
    const following = parts.backends.filter((backend): backend is Following => backend.follower !== null);
    this.#following = following;
    this.#leader = parts.leader;
    this.#required = following.filter(({ required }) => required);
    this.#inProcess = following.filter(({ required, storage }) => !required && !storage.durable);
    this.#durable = following.filter(({ storage, onTrial }) => storage.durable && !onTrial);
    this.#floor = parts.floor;
    this.#clock = parts.clock;
    this.#tracing = parts.tracing;
    this.#contactUntilMs = parts.clock.monotonicMs() + parts.contactWaitMs;
  }

  /** @throws SinkWriteError, FollowerAheadError, DivergedError, and errors of the leader about the batch itself. */
  async insertBatch(batch: WriteBatch): Promise<WriteOutcome> {
    const told = this.#tracing?.store();
    await this.#checkOrder();
    const outcome = await this.#lead(() => this.#leader.insertBatch(batch));
    // a follower may still fail the write: the next one finds duplicates
    if (outcome.committed) told?.(addedBy(batch, outcome), { 'ccip.ingestion_ms': outcome.committed.ingestionMs });
    if (outcome.committed === null) await this.#confirmKnown();
    else await this.#settle(outcome.committed.throughPosition);
    return outcome;
  }

  /**
   * The followers are given the same set: until the leader holds the last of them it cannot tell its changes.
   * @throws SinkWriteError, PositionGapError
   */
  async apply(changes: ChangeSet): Promise<void> {
    await this.#lead(() => this.#leader.apply(changes));
    const { throughPosition } = changes;
    for (const { follower } of this.#following) follower.hear({ kind: 'committed', changes });
    await this.#requireAll((follower) => follower.holds(throughPosition));
    await Promise.all(this.#inProcess.map(({ follower }) => follower.holds(throughPosition).catch(ignoreFailure)));
    this.#reachLeader();
  }

  /** A durable follower ahead of its leader, or diverged from it, has other records at the same positions. */
  async #checkOrder(): Promise<void> {
    if (!this.#contacted) {
      const contact = async (isRequired: boolean) =>
        await Promise.all(
          this.#durable.filter(({ required }) => required === isRequired).map(({ follower }) => follower.contact()),
        );
      const leftMs = Math.max(0, this.#contactUntilMs - this.#clock.monotonicMs());
      await Promise.all([contact(true), succeedsWithin(this.#clock, leftMs, contact(false))]);
      this.#contacted = true;
    }
    for (const { follower } of this.#durable) {
      const refusal = follower.ahead ?? follower.diverged;
      if (refusal !== null) throw refusal;
    }
  }

  async #lead<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (thrown) {
      const isOfBatch =
        thrown instanceof IndexerError &&
        !(thrown instanceof StorageUnavailableError || thrown instanceof StorageFailureError);
      if (isOfBatch) throw thrown;
      throw new SinkWriteError({
        failed: [{ backend: this.#leader.name, error: toError(thrown) }],
        succeeded: [],
        committed: false,
      });
    }
  }

  async #settle(position: bigint): Promise<void> {
    // from here on no read may miss the write, also not one that goes to a backend which is late
    this.#floor.reached(position);
    this.#reachLeader();
    const missing = this.#inProcess.filter(
      ({ follower }) => follower.state === 'current' && follower.throughPosition < position,
    );
    await this.#requireAll((follower) => (follower.throughPosition >= position ? null : follower.holds(position)));
    if (missing.length > 0)
      await Promise.all(missing.map(({ follower }) => follower.holds(position).catch(ignoreFailure)));
  }

  /** Everything in the batch was known already, at a position that only the leader can tell. */
  async #confirmKnown(): Promise<void> {
    this.#reachLeader();
    await this.#requireAll((follower) => follower.confirm());
  }

  #reachLeader(): void {
    const { throughPosition, movePosition } = this.#leader.coverage();
    this.#floor.answered({ position: throughPosition, movePosition });
  }

  async #requireAll(wait: (follower: Follower) => Promise<void> | null): Promise<void> {
    if (this.#required.length === 0) return;
    const failed: BackendFailure[] = [];
    const succeeded = [this.#leader.name];
    await Promise.all(
      this.#required.map(async ({ name, follower }) => {
        try {
          await wait(follower);
          succeeded.push(name);
        } catch (thrown) {
          failed.push({ backend: name, error: toError(thrown) });
        }
      }),
    );
    if (failed.length > 0) throw new SinkWriteError({ failed, succeeded, committed: true });
  }
}

/** The records that a commit added. */
function* addedBy(batch: WriteBatch, outcome: WriteOutcome): Generator<StoredSpan> {
  const { messages = [], verifierResults = [], executions = [] } = batch;
  for (const [at, { messageId }] of messages.entries())
    if (outcome.messages[at] === 'inserted') yield { kind: 'message', messageId };
  for (const [at, { messageId, verifierName }] of verifierResults.entries())
    if (outcome.verifierResults[at] === 'inserted')
      yield { kind: 'result', messageId, facts: { 'ccip.verifier': verifierName } };
  for (const [at, { messageId }] of executions.entries())
    if (outcome.executions[at] === 'inserted') yield { kind: 'execution', messageId };
}

/** The follower itself reports its failures, and goes on trying. */
function ignoreFailure(): null {
  return null;
}
