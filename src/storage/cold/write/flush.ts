import { randomUUID } from 'node:crypto';
import type { Common } from '../../../core/common.js';
import { nextTurn } from '../../../core/event-loop.js';
import { mapInParallel } from '../../../core/parallel.js';
import { resultIdentity } from '../../../model/identity.js';
import { hashId } from '../id-index/hash.js';
import type { Catalog } from '../namespace/catalog.js';
import { type DataFile, describeFile, type FlushStamp } from '../namespace/data-file.js';
import type { DataFileReader } from '../namespace/file-reader.js';
import type { DataFileStore } from '../namespace/file-store.js';
import { FlushBusyError } from '../namespace/namespace-errors.js';
import type { PreparedFlush } from '../namespace/prepared.js';
import { addedFiles, dirtyTables, type Survey } from '../namespace/unnamed.js';
import { ceilingMs, type ListTable, MESSAGE_TABLE, type NamespaceView, RESULT_TABLE } from '../namespace/view.js';
import { inTurns } from '../parquet/steps.js';
import type { Zstd } from '../parquet/zstd.js';
import { createFileEncoder, type EncodedFile } from '../rows/data-file-encoder.js';
import { LEDGER_ROWS } from '../rows/ledger.js';
import { dayOf, type RowKey, type RowKind } from '../rows/row-kind.js';
import type { TableName } from '../rows/table-name.js';
import type { ChangeBuffer, FlushContent } from './change-buffer.js';

const ROWS_BETWEEN_PAUSES = 250;
const PARALLEL_FILTERS = 16;

/** A file made, not stored yet. */
interface MadeFile {
  readonly table: TableName;
  readonly file: DataFile;
  readonly encoded: EncodedFile;
  readonly overlayKeys: readonly RowKey[] | null;
}

/** The outcome of a flush. */
export interface FlushResult {
  readonly view: NamespaceView;
  readonly rows: number;
  /** Bytes of data files and indexes. */
  readonly bytes: number;
}

/** Turns changes into files, stores them, reads them back, and has them committed */
export class Flush {
  readonly #name: string;
  readonly #files: DataFileStore;
  readonly #zstd: Zstd;
  readonly #common: Common;
  readonly #catalog: Catalog;
  readonly #reader: DataFileReader;
  readonly #takeoverMs: number;

  constructor(parts: {
    readonly name: string;
    readonly files: DataFileStore;
    readonly zstd: Zstd;
    readonly common: Common;
    readonly catalog: Catalog;
    readonly reader: DataFileReader;
    readonly takeoverMs: number;
  }) {
    this.#name = parts.name;
    this.#files = parts.files;
    this.#zstd = parts.zstd;
    this.#common = parts.common;
    this.#catalog = parts.catalog;
    this.#reader = parts.reader;
    this.#takeoverMs = parts.takeoverMs;
  }

  /**
   * Writes the changes that `buffer` holds above a state and commits them on top of it; null without changes.
   * @throws DeltaConflictError, FlushBusyError, ReadBackError, and the errors of the object store. Nothing was
   * committed, unless the store was unavailable: then a refresh tells.
   */
  async run(survey: Survey, buffer: ChangeBuffer): Promise<FlushResult | null> {
    const base = survey.view;
    buffer.committed(base);
    const content = buffer.content();
    if (content.head.position <= base.position) return null;
    this.#checkDirty(survey);
    const clean = await this.#catalog.takeBack(survey);
    const made = await this.#make(base, content);
    await Promise.all(made.map(({ table, file, encoded }) => this.#files.put(table, file, encoded)));
    const view = await this.#catalog.commit(clean, preparedOf(content, made), 'WRITE');
    buffer.committed(view);
    this.#own.clear();
    return { view, rows: sum(made, ({ file }) => file.rows), bytes: sum(made, sizeOf) };
  }

  /**
   * The flush in a dirty table was not committed: its writer is dead, or still flushing. A flush takes no longer than
   * the takeover time after its files were first seen, by any clock.
   */
  #checkDirty(survey: Survey): void {
    const { clock } = this.#common;
    const [nowMs, seenAtMs] = [clock.nowMs(), clock.monotonicMs()];
    const before = this.#dirtySince;
    const files = dirtyTables(survey).flatMap(addedFiles);
    this.#dirtySince = new Map(files.map(({ path }) => [path, before.get(path) ?? seenAtMs]));
    for (const { path, modificationTime } of files) {
      const sinceMs = this.#dirtySince.get(path) ?? seenAtMs;
      const waitMs = this.#takeoverMs + Math.min(modificationTime - nowMs, sinceMs - seenAtMs);
      if (waitMs > 0 && !this.#own.has(path)) throw new FlushBusyError(this.#name, waitMs);
    }
  }

  /** The times at which files of unended flushes were first seen, on the monotonic clock. */
  #dirtySince: ReadonlyMap<string, number> = new Map();

  /** Files of this instance: no other writer is flushing them. */
  readonly #own = new Set<string>();

  async #make(base: NamespaceView, content: FlushContent): Promise<MadeFile[]> {
    const stamp: FlushStamp = {
      flushThrough: content.head.position,
      boundaryMs: content.whole ? content.head.headMs : null,
      writtenMs: this.#common.clock.nowMs(),
    };
    const ledgerDay = dayOf(stamp.writtenMs);
    return [
      ...(await this.#makeList(MESSAGE_TABLE, base, content, content.messages, stamp)),
      ...(await this.#makeList(RESULT_TABLE, base, content, content.results, stamp)),
      ...(await this.#makeFiles('ledger', LEDGER_ROWS, content.ledger, { day: ledgerDay, overlay: false }, stamp)),
    ];
  }

  async #makeList<T, K extends RowKey>(
    list: ListTable<T, K>,
    base: NamespaceView,
    content: FlushContent,
    records: readonly T[],
    stamp: FlushStamp,
  ): Promise<MadeFile[]> {
    const parts = new Map<string, { day: string; overlay: boolean; records: T[] }>();
    const maySupersede = await this.#supersedingTest(list, base, content, records);
    for (const record of records) {
      const key = list.rows.keyOf(record);
      const day = dayOf(key.ingestionMs);
      const overlay = maySupersede(key);
      const name = `${day} ${overlay}`;
      const part = parts.get(name) ?? { day, overlay, records: [] };
      part.records.push(record);
      parts.set(name, part);
    }
    const made: MadeFile[] = [];
    for (const part of parts.values())
      made.push(...(await this.#makeFiles(list.table, list.rows, part.records, part, stamp)));
    return made;
  }

  /**
   * A test whether a row's record may be in the table already, so that the row must supersede it. An ingestion time
   * above all of the table's is a new record's, unless records moved since; the indexes know of the others.
   */
  async #supersedingTest<T, K extends RowKey>(
    { table, rows }: ListTable<T, K>,
    base: NamespaceView,
    { head }: FlushContent,
    records: readonly T[],
  ): Promise<(key: K) => boolean> {
    const view = base.tables[table];
    const ceiling = ceilingMs(view);
    const moved = head.movePosition > base.position;
    const isNew = (key: K) => key.ingestionMs > ceiling && !(moved && key.firstMs <= ceiling);
    const asked = records
      .map((record) => rows.keyOf(record))
      .filter((key) => !isNew(key))
      .map((key) => ({ key, hash: hashId(key.messageId) }));
    const held = new Set<string>();
    // none of the filters is held longer than it is asked: one old record can reach over all files
    await mapInParallel(view.files, PARALLEL_FILTERS, async (file) => {
      // earlier states of a record lie between its first time and its present one
      const here = asked.filter(({ key }) => file.minMs <= key.ingestionMs && file.maxMs >= key.firstMs);
      if (here.length === 0) return;
      const mayContain = await this.#reader.filter(table, file);
      for (const { key, hash } of here) if (mayContain(hash)) held.add(resultIdentity(key));
    });
    return (key) => held.has(resultIdentity(key));
  }

  async #makeFiles<T, K extends { readonly position: bigint }>(
    table: TableName,
    kind: RowKind<T, K>,
    records: readonly T[],
    { day, overlay }: { readonly day: string; readonly overlay: boolean },
    stamp: FlushStamp,
  ): Promise<MadeFile[]> {
    if (records.length === 0) return [];
    const sorted = records
      .map((record) => ({ record, key: kind.keyOf(record) }))
      .sort((a, b) => kind.compare(a.key, b.key));
    const encoder = createFileEncoder({ kind, zstd: this.#zstd });
    for (const [index, { record }] of sorted.entries()) {
      encoder.add(record);
      if (index % ROWS_BETWEEN_PAUSES === ROWS_BETWEEN_PAUSES - 1) await nextTurn();
    }
    const encoded = await inTurns(encoder.finishing());
    const file = describeFile(encoded, { id: randomUUID(), day, overlay }, stamp);
    this.#own.add(file.uri);
    const overlayKeys = overlay ? sorted.map(({ key }) => key as unknown as RowKey) : null;
    return [{ table, file, encoded, overlayKeys }];
  }
}

function preparedOf({ head }: FlushContent, made: readonly MadeFile[]): PreparedFlush {
  const filesOf = (table: TableName) => made.filter((each) => each.table === table).map(({ file }) => file);
  return {
    head,
    files: { messages: filesOf('messages'), verifier_results: filesOf('verifier_results'), ledger: filesOf('ledger') },
    overlayKeys: new Map(made.flatMap(({ file, overlayKeys }) => (overlayKeys ? [[file.uri, overlayKeys]] : []))),
  };
}

function sizeOf({ encoded }: MadeFile): number {
  return encoded.bytes.length + (encoded.index?.bytes.length ?? 0);
}

function sum(made: readonly MadeFile[], of: (each: MadeFile) => number): number {
  return made.reduce((total, each) => total + of(each), 0);
}
