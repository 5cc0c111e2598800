import type { ChainCursor, ChainProgress, ChainStore, QuarantinedLog } from '../../../src/chains/chain-port.js';
import { IndexerError } from '../../../src/core/errors.js';
import type { Hex } from '../../../src/core/hex.js';

import type { NewMessage } from '../../../src/protocol/records.js';
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
  readonly quarantine: readonly string[];
}

/**
 * A store for one chain with the semantics of the real one: a commit is whole or not at all, orphanings come first and
 * hold only while the block hash is still that of the message, the cursor is compared and moved. It outlives watchers,
 * like a database.
 */
export class MemoryChainStore implements ChainStore {
  readonly #messages = new Map<Hex, Entry>();
  readonly #quarantine = new Map<string, QuarantinedLog>();
  #cursor: ChainCursor | null = null;
  #confirmed: ChainCursor | null = null;
  #halt: ChainCursor | null = null;
  /** Every progress that was stored, in order. */
  readonly commits: ChainProgress[] = [];
  /** Called before each commit; what it throws, the commit throws. `after`: the commit is done nonetheless. */
  onCommit: (progress: ChainProgress) => 'ok' | 'fail' | 'fail after' = () => 'ok';

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

  async commit(progress: ChainProgress): Promise<void> {
    const fate = this.onCommit(progress);
    if (fate === 'fail') throw new IndexerError('STORAGE_UNAVAILABLE', 'the store is down', true);
    const { cursor, confirmed: [confirmed] = [] } = progress;
    if (confirmed && confirmed.expectedHeight !== (this.#confirmed?.height ?? null))
      throw new IndexerError('CURSOR_CONFLICT', `the confirmed block is ${this.#confirmed?.height}`, true);
    if (cursor && cursor.expectedHeight !== (this.#cursor?.height ?? null))
      throw new IndexerError('CURSOR_CONFLICT', `cursor is at ${this.#cursor?.height}`, true);
    if (cursor && this.#cursor && cursor.height <= this.#cursor.height) throw new Error('the cursor moved down');
    this.#apply(progress);
    if (fate === 'fail after') throw new IndexerError('STORAGE_UNAVAILABLE', 'the answer was lost', true);
  }

  get(messageId: Hex): Entry | undefined {
    return this.#messages.get(messageId);
  }

  get quarantine(): readonly QuarantinedLog[] {
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
      quarantine: [...this.#quarantine.values()].map(({ key, reason }) => `${key} ${reason}`).sort(),
    };
  }

  #apply(progress: ChainProgress): void {
    this.commits.push(progress);
    for (const { messageId, blockHash } of progress.orphanings) {
      const entry = this.#messages.get(messageId);
      if (entry && entry.message.origin?.blockHash === blockHash)
        this.#messages.set(messageId, { ...entry, orphaned: true });
    }
    for (const message of progress.messages) this.#messages.set(message.messageId, { message, orphaned: false });
    for (const entry of progress.quarantine)
      if (!this.#quarantine.has(entry.key)) this.#quarantine.set(entry.key, entry);
    const [confirmed] = progress.confirmed ?? [];
    if (confirmed) this.#confirmed = { height: confirmed.height, hash: confirmed.hash };
    if (progress.cursor) this.#cursor = { height: progress.cursor.height, hash: progress.cursor.hash };
  }
}
