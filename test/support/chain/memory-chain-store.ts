import type { BatchWriter, ChainCursor, ChainStore } from '../../../src/chains/chain-port.js';
import { IndexerError } from '../../../src/core/errors.js';
import type { Hex } from '../../../src/core/hex.js';
import type { CursorMove, WriteBatch, WriteOutcome } from '../../../src/model/batch.js';
import { executionIdentity, logIdentity } from '../../../src/model/identity.js';
import type { Execution, NewMessage, QuarantineEntry } from '../../../src/model/records.js';
import { ON_RAMP } from './watch.js';

interface Entry {
  readonly message: NewMessage;
  readonly orphaned: boolean;
}

/** What the store holds, in an order that does not depend on how it got there. */
export interface ChainStoreContent {
  readonly cursor: ChainCursor | null;
  /** In the lists: id and block hash. */
  readonly live: readonly string[];
  /** Readable by id only. */
  readonly orphaned: readonly Hex[];
  /** The log of each, and whether it is orphaned. */
  readonly executions: readonly string[];
  readonly quarantine: readonly string[];
}

/** The records of a batch. */
type Stored = Required<
  Pick<WriteBatch, 'messages' | 'orphanings' | 'executions' | 'executionOrphanings' | 'quarantine'>
>;

function blockOf({ height, hash }: CursorMove): ChainCursor {
  if (hash === null) throw new Error('a cursor of a chain has no hash');
  return { height, hash };
}

/**
 * A store for one chain with the semantics of the real one: a commit is whole or not at all, orphanings come first and
 * hold only while the block hash is still that of the message, the cursor is compared and moved. It outlives watchers,
 * like a database.
 */
export class MemoryChainStore implements ChainStore, BatchWriter {
  readonly #messages = new Map<Hex, Entry>();
  readonly #executions = new Map<string, { readonly execution: Execution; readonly orphaned: boolean }>();
  readonly #quarantine = new Map<string, QuarantineEntry>();
  #cursor: ChainCursor | null = null;
  #confirmed: ChainCursor | null = null;
  #halt: ChainCursor | null = null;
  /** Every batch that was stored, in order. */
  readonly commits: Stored[] = [];
  /** Called before each commit; what it throws, the commit throws. `after`: the commit is done nonetheless. */
  onCommit: (batch: Stored) => 'ok' | 'fail' | 'fail after' = () => 'ok';

  async cursor(): Promise<ChainCursor | null> {
    return this.#cursor;
  }

  async confirmed(): Promise<ReadonlyMap<Hex, ChainCursor | null>> {
    return new Map([[ON_RAMP, this.#confirmed]]);
  }

  async lastHalt(): Promise<ChainCursor | null> {
    return this.#halt;
  }

  async noteHalt(halt: ChainCursor): Promise<void> {
    this.#halt = halt;
  }

  /** What `chain resume` does. */
  setBack(cursor: ChainCursor): void {
    this.#cursor = cursor;
  }

  async messagesAbove(afterBlock: bigint) {
    return [...this.#messages.values()].flatMap(({ message: { messageId, origin }, orphaned }) =>
      origin && !orphaned && origin.blockNumber > afterBlock
        ? [{ messageId, blockNumber: origin.blockNumber, blockHash: origin.blockHash }]
        : [],
    );
  }

  async executionsAbove(afterBlock: bigint) {
    return [...this.#executions.values()].flatMap(({ execution: { messageId, place }, orphaned }) =>
      !orphaned && place.blockNumber > afterBlock
        ? [{ messageId, blockNumber: place.blockNumber, blockHash: place.blockHash, logIndex: place.logIndex }]
        : [],
    );
  }

  async insertBatch({
    executions = [],
    executionOrphanings = [],
    messages = [],
    orphanings = [],
    quarantine = [],
    cursors = [],
  }: WriteBatch): Promise<WriteOutcome> {
    const batch = { messages, orphanings, executions, executionOrphanings, quarantine };
    const fate = this.onCommit(batch);
    if (fate === 'fail') throw new IndexerError('STORAGE_UNAVAILABLE', 'the store is down', true);
    const cursor = cursors.find(({ sourceId }) => sourceId.startsWith('chain:'));
    const confirmed = cursors.find(({ sourceId }) => sourceId.startsWith('confirmed:'));
    if (confirmed && confirmed.expectedHeight !== (this.#confirmed?.height ?? null))
      throw new IndexerError('CURSOR_CONFLICT', `the confirmed block is ${this.#confirmed?.height}`, true);
    if (cursor && cursor.expectedHeight !== (this.#cursor?.height ?? null))
      throw new IndexerError('CURSOR_CONFLICT', `cursor is at ${this.#cursor?.height}`, true);
    if (cursor && this.#cursor && cursor.height <= this.#cursor.height) throw new Error('the cursor moved down');
    const outcome = messages.map(({ messageId }) => (this.#messages.has(messageId) ? 'updated' : 'inserted'));
    this.#apply(batch);
    if (confirmed) this.#confirmed = blockOf(confirmed);
    if (cursor) this.#cursor = blockOf(cursor);
    if (fate === 'fail after') throw new IndexerError('STORAGE_UNAVAILABLE', 'the answer was lost', true);
    const inserted = executions.map(() => 'inserted' as const);
    return { messages: outcome, verifierResults: [], executions: inserted, conflicts: [], committed: null };
  }

  get(messageId: Hex): Entry | undefined {
    return this.#messages.get(messageId);
  }

  get quarantine(): readonly QuarantineEntry[] {
    return [...this.#quarantine.values()];
  }

  content(): ChainStoreContent {
    const entries = [...this.#messages.values()];
    return {
      cursor: this.#cursor,
      live: entries
        .filter(({ orphaned }) => !orphaned)
        .map(({ message: { messageId, origin } }) => `${messageId} ${origin?.blockHash}:${origin?.logIndex}`)
        .sort(),
      orphaned: entries
        .filter(({ orphaned }) => orphaned)
        .map(({ message }) => message.messageId)
        .sort(),
      executions: [...this.#executions].map(([key, { orphaned }]) => `${key}${orphaned ? ' orphaned' : ''}`).sort(),
      quarantine: [...this.#quarantine.values()].map(({ key, reason }) => `${key} ${reason}`).sort(),
    };
  }

  #apply(batch: Stored): void {
    this.commits.push(batch);
    for (const { messageId, blockHash } of batch.orphanings) {
      const entry = this.#messages.get(messageId);
      if (entry && entry.message.origin?.blockHash === blockHash)
        this.#messages.set(messageId, { ...entry, orphaned: true });
    }
    for (const log of batch.executionOrphanings) {
      const entry = this.#executions.get(logIdentity(log));
      if (entry) this.#executions.set(logIdentity(log), { ...entry, orphaned: true });
    }
    for (const execution of batch.executions)
      this.#executions.set(executionIdentity(execution), { execution, orphaned: false });
    for (const message of batch.messages) this.#messages.set(message.messageId, { message, orphaned: false });
    for (const entry of batch.quarantine) if (!this.#quarantine.has(entry.key)) this.#quarantine.set(entry.key, entry);
  }
}
