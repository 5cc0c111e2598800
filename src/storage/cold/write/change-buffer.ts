import type { Change, ChangeSet } from '../../../model/batch.js';
import { changedRecord } from '../../../model/identity.js';
import { PositionGapError } from '../../../model/storage-errors.js';
import type { NamespaceHead } from '../namespace/head.js';
import { sizeOfChange } from '../rows/change-size.js';
import type { LedgerChange } from '../rows/ledger.js';
import type { RecordChange } from '../rows/orphan-return.js';

/** The content of a flush: the last applied change of each record, in no order. */
export interface FlushContent {
  readonly head: NamespaceHead;
  /** False while more is known to come. */
  readonly whole: boolean;
  readonly records: readonly RecordChange[];
  readonly ledger: readonly LedgerChange[];
}

/** What a flush is to do, and the bytes of files that it may write anew for it; else it is put off. */
export interface FlushPlan {
  readonly content: FlushContent;
  readonly rewriteBytes: number;
}

/** The change of a record that lists show. */
export type ListedChange = Extract<Change, { readonly kind: 'message' | 'verifierResult' }>;

interface BufferedChange {
  readonly change: Change;
  readonly sizeBytes: number;
}

/** Changes that were applied and are not committed yet; of a record that changed twice only the last state. */
export class ChangeBuffer {
  readonly #name: string;
  readonly #held = new Map<string, BufferedChange>();
  #head: NamespaceHead = { position: 0n, headMs: -1, headPosition: 0n, movePosition: 0n };
  #sizeBytes = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** Every change up to this position was applied. */
  get position(): bigint {
    return this.#head.position;
  }

  /** Bytes of the records, before compression. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get records(): number {
    return this.#held.size;
  }

  /** The highest position that the leader is known to have. */
  get headPosition(): bigint {
    return this.#head.headPosition;
  }

  /** The namespace stands at `head`: changes at or below are written. */
  committed(head: NamespaceHead): void {
    for (const [identity, { change, sizeBytes }] of this.#held)
      if (change.position <= head.position) {
        this.#held.delete(identity);
        this.#sizeBytes -= sizeBytes;
      }
    if (head.position >= this.#head.position)
      this.#head = { ...head, headPosition: max(head.headPosition, this.#head.headPosition) };
  }

  /** The last change at or below a position that is still held, of a message or a result; null without one. */
  lastListedAt(position: bigint): ListedChange | null {
    let last: ListedChange | null = null;
    for (const { change } of this.#held.values())
      if (change.kind === 'message' || change.kind === 'verifierResult')
        if (change.position <= position && change.position > (last?.position ?? 0n)) last = change;
    return last;
  }

  /** Takes a set; changes that were taken before are passed over. @throws PositionGapError */
  add(set: ChangeSet): void {
    const { position } = this.#head;
    if (set.afterPosition > position) throw new PositionGapError(this.#name, position, set.afterPosition);
    if (set.throughPosition <= position) return;
    for (const change of set.changes) if (change.position > position) this.#put(change);
    const headPosition = max(this.#head.headPosition, set.headPosition);
    const isHead = set.throughPosition === set.headPosition;
    this.#head = {
      position: set.throughPosition,
      headMs: isHead ? Math.max(this.#head.headMs, set.headMs) : this.#head.headMs,
      headPosition,
      movePosition: max(this.#head.movePosition, set.headMovePosition),
    };
  }

  /** Everything that is held; null when nothing is above a position, not even one without a record. */
  contentAbove(position: bigint): FlushContent | null {
    return this.#head.position > position ? this.#content() : null;
  }

  #content(): FlushContent {
    const records: RecordChange[] = [];
    const ledger: LedgerChange[] = [];
    for (const { change } of this.#held.values())
      if (change.kind === 'cursor' || change.kind === 'quarantine' || change.kind === 'conflict') ledger.push(change);
      else records.push(change);
    return { head: this.#head, whole: this.#head.position >= this.#head.headPosition, records, ledger };
  }

  clear(): void {
    this.#held.clear();
    this.#sizeBytes = 0;
  }

  #put(change: Change): void {
    const identity = changedRecord(change);
    this.#sizeBytes -= this.#held.get(identity)?.sizeBytes ?? 0;
    const sizeBytes = sizeOfChange(change);
    this.#held.set(identity, { change, sizeBytes });
    this.#sizeBytes += sizeBytes;
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
