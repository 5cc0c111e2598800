import type { Hex } from '../../core/hex.js';
import type { Change } from '../../model/batch.js';
import { conflictIdentity, quarantineIdentity } from '../../model/identity.js';
import type { ListedKind, ListedRecords } from '../../model/list-kinds.js';
import { messageOrderKey, type OrderKey } from '../../model/order.js';
import type {
  StoredConflict,
  StoredExecution,
  StoredMessage,
  StoredQuarantineEntry,
  StoredSourceCursor,
  StoredVerifierResult,
} from '../../model/records.js';
import { BlockIndex } from './block-index.js';
import { type Body, findResult, withResult } from './body.js';
import { ByteSlabs } from './byte-slabs.js';
import { ExecutionIndex } from './execution-index.js';
import { Interner } from './interner.js';
import { OnceList } from './once-list.js';
import { PositionLog } from './position-log.js';
import { compareMessage, createMessageIndex, createResultIndex, type RecordIndex, timeKey } from './record-index.js';
import { SortedList } from './sorted-list.js';

/** Everything held about one message id. */
export interface Entry {
  readonly body: Body;
  readonly firstMs: number;
  message: StoredMessage | undefined;
  /** Ordered by verifier source and destination address. Replaced, never changed: callers hold it. */
  results: readonly StoredVerifierResult[];
}

/** The numbers of evicted records. */
export interface Evicted {
  readonly messages: number;
  readonly verifierResults: number;
}

type AnyRecord = Change['record'];

/** Objects, texts and index places of one record beside its payload: about as measured with 64-bit pointers. */
const RECORD_OVERHEAD_BYTES = 900;

/** All records and indexes of a memory storage. Every change goes through a `put`, which keeps all indexes in step. */
export class RecordStore {
  readonly interner = new Interner();
  readonly slabs = new ByteSlabs();
  readonly entries = new Map<Hex, Entry>();
  readonly messages = createMessageIndex();
  readonly results = createResultIndex();
  readonly lists: { readonly [K in ListedKind]: RecordIndex<ListedRecords[K]> } = {
    message: this.messages,
    verifierResult: this.results,
  };
  /** Messages that are neither orphaned nor successful. */
  readonly unfinished = new SortedList<StoredMessage, OrderKey>(compareMessage, messageOrderKey);
  readonly blocks = new BlockIndex();
  readonly executions = new ExecutionIndex();
  readonly quarantine = new OnceList<StoredQuarantineEntry>(quarantineIdentity);
  readonly conflicts = new OnceList<StoredConflict>(conflictIdentity);
  readonly cursors = new Map<string, StoredSourceCursor>();
  /** Every kind but cursors, of which there are few. */
  readonly #kinds = [this.messages, this.results, this.executions, this.quarantine, this.conflicts] as const;
  readonly #log = new PositionLog<AnyRecord>();
  #payloadBytes = 0;

  /** Records of every kind but cursors, of which there are few. */
  get size(): number {
    return this.#kinds.reduce((size, kind) => size + kind.size, 0);
  }

  /** Bytes of encoded messages, proofs and quarantined input, each counted once. */
  get payloadBytes(): number {
    return this.#payloadBytes;
  }

  /** Bytes of all held records with their indexes, about. */
  get estimatedBytes(): number {
    return this.#payloadBytes + this.size * RECORD_OVERHEAD_BYTES;
  }

  oldestMs(): number | undefined {
    let oldestMs: number | undefined;
    for (const kind of this.#kinds) {
      const ms = kind.oldestMs();
      if (ms !== undefined && (oldestMs === undefined || ms < oldestMs)) oldestMs = ms;
    }
    return oldestMs;
  }

  /** Takes in a message made over `body`, in place of its state before. */
  putMessage(message: StoredMessage, body: Body): void {
    const entry = this.#entry(message, body);
    const old = entry.message;
    entry.message = message;
    this.#log.move(old, message);
    this.messages.change(old, message, entry.body.lane);
    if (old) this.#unlink(old, entry.body);
    if (!message.orphaned && message.status !== 'success') this.unfinished.add(message);
    if (!message.orphaned) this.blocks.add(message, entry.body.lane.sourceChainSelector);
  }

  /** Takes in a verifier result made over `body`, in place of its state before. */
  putResult(result: StoredVerifierResult, body: Body): void {
    const entry = this.#entry(result, body);
    const old = findResult(entry.results, result);
    entry.results = withResult(entry.results, result);
    this.#payloadBytes += result.ccvData.length - (old?.ccvData.length ?? 0);
    this.#log.move(old, result);
    this.results.change(old, result, entry.body.lane);
  }

  /** Takes in an execution in place of its state before, if it had one. */
  putExecution(old: StoredExecution | undefined, execution: StoredExecution): void {
    this.#payloadBytes += execution.returnData.length - (old?.returnData.length ?? 0);
    this.#log.move(old, execution);
    this.executions.change(old, execution);
  }

  putQuarantine(entry: StoredQuarantineEntry): void {
    this.quarantine.add(entry);
    this.#payloadBytes += entry.raw.length;
    this.#log.move(undefined, entry);
  }

  putConflict(conflict: StoredConflict): void {
    this.conflicts.add(conflict);
    this.#log.move(undefined, conflict);
  }

  putCursor(cursor: StoredSourceCursor): void {
    this.#log.move(this.cursors.get(cursor.sourceId), cursor);
    this.cursors.set(cursor.sourceId, cursor);
  }

  /** The changes with positions in (afterPosition, throughPosition], at most `limit`. */
  changes(afterPosition: bigint, throughPosition: bigint, limit: number): Change[] {
    return this.#log.range(afterPosition, throughPosition, limit).map(changeOf);
  }

  /** Records counted in `size` with an ingestion time at or below `ms`. */
  countThrough(ms: number): number {
    return this.#kinds.reduce((count, kind) => count + kind.countThrough(ms), 0);
  }

  /** The position of the last change among everything with an ingestion time at or below `ms`; 0 without any. */
  lastPositionThrough(ms: number): bigint {
    let last = 0n;
    for (const records of this.#through(ms)) for (const { position } of records) if (position > last) last = position;
    return last;
  }

  /**
   * Forgets everything with an ingestion time at or below `ms`, in all indexes; cursors stay. `gone` is told of each
   * message id of which nothing is left.
   */
  evictThrough(ms: number, gone: (messageId: Hex) => void): Evicted {
    const [messages, results, executions, quarantine, conflicts] = this.#through(ms);
    for (const record of [...messages, ...results, ...executions, ...quarantine, ...conflicts])
      this.#log.delete(record);
    for (const message of messages) this.blocks.delete(message, this.#laneOf(message));
    this.unfinished.shift(this.unfinished.lowerBound(timeKey(ms + 1)));
    for (const kind of this.#kinds) kind.dropThrough(ms);
    for (const { messageId } of [...messages, ...results]) this.#reduceEntry(messageId, ms, gone);
    for (const { ccvData } of results) this.#payloadBytes -= ccvData.length;
    for (const { returnData } of executions) this.#payloadBytes -= returnData.length;
    for (const { raw } of quarantine) this.#payloadBytes -= raw.length;
    return { messages: messages.length, verifierResults: results.length };
  }

  #through(ms: number) {
    return [
      this.messages.through(ms),
      this.results.through(ms),
      this.executions.through(ms),
      this.quarantine.through(ms),
      this.conflicts.through(ms),
    ] as const;
  }

  #entry(record: { readonly messageId: Hex; readonly firstMs: number }, body: Body): Entry {
    let entry = this.entries.get(record.messageId);
    if (!entry) {
      entry = { body, firstMs: record.firstMs, message: undefined, results: [] };
      this.entries.set(body.messageId, entry);
      this.#payloadBytes += body.encodedMessage.length;
    }
    return entry;
  }

  #reduceEntry(messageId: Hex, ms: number, gone: (messageId: Hex) => void): void {
    const entry = this.entries.get(messageId);
    if (!entry) return;
    if (entry.message && entry.message.ingestionMs <= ms) entry.message = undefined;
    entry.results = entry.results.filter((result) => result.ingestionMs > ms);
    if (entry.message || entry.results.length > 0) return;
    this.entries.delete(messageId);
    gone(messageId);
    this.#payloadBytes -= entry.body.encodedMessage.length;
  }

  #unlink(message: StoredMessage, body: Body): void {
    if (message.orphaned) return;
    if (message.status !== 'success') this.unfinished.delete(message);
    this.blocks.delete(message, body.lane.sourceChainSelector);
  }

  #laneOf(message: StoredMessage): bigint {
    return this.entries.get(message.messageId)?.body.lane.sourceChainSelector ?? -1n;
  }
}

function changeOf(record: AnyRecord): Change {
  const { position } = record;
  if ('ccvData' in record) return { kind: 'verifierResult', position, record };
  if ('returnData' in record) return { kind: 'execution', position, record };
  if ('status' in record) return { kind: 'message', position, record };
  if ('height' in record) return { kind: 'cursor', position, record };
  if ('receivedHash' in record) return { kind: 'conflict', position, record };
  return { kind: 'quarantine', position, record };
}
