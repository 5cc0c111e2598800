import { mapInParallel } from '../../../core/parallel.js';
import type { Change, ChangeSet } from '../../../model/batch.js';
import { BEGINNING, type Boundary } from '../../../model/boundary.js';
import { CoverageGapError } from '../../../model/storage-errors.js';
import { type DataFile, type FlushEnd, flushEnds } from '../namespace/data-file.js';
import type { DataFileReader, TableRows } from '../namespace/file-reader.js';
import { isWhole } from '../namespace/head.js';
import { RECORD_TABLES } from '../namespace/record-tables.js';
import type { NamespaceView } from '../namespace/view.js';
import { sizeOfChange } from '../rows/change-size.js';
import type { TableName } from '../rows/table-name.js';
import { LEDGER_TABLE, type LedgerReads } from './ledger-reads.js';
import { type Place, PositionSweep } from './position-sweep.js';

const PARALLEL_FILES = 4;
/** A set ends with the change that reaches this many bytes, as in Postgres: it must fit into memory. */
const MAX_SET_BYTES = 32 << 20;
/** The weight of a change besides its contents. */
const CHANGE_BYTES = 256;
/** Rows are read together up to about so many compressed bytes, before their real size is known. */
const READ_BYTES = 4 << 20;

/** Changes in position order, and boundaries to start from, for a follower of this storage. */
export class ChangeReads {
  readonly #name: string;
  readonly #reader: DataFileReader;
  readonly #ledger: LedgerReads;
  /** The sweep of the last page: a reader of the next page goes on with it. */
  #sweep: { readonly sweep: PositionSweep; readonly throughPosition: bigint } | null = null;

  constructor(parts: { readonly name: string; readonly reader: DataFileReader; readonly ledger: LedgerReads }) {
    this.#name = parts.name;
    this.#reader = parts.reader;
    this.#ledger = parts.ledger;
  }

  /** @throws CoverageGapError beyond the view, and while the view is not whole. */
  async after(view: NamespaceView, afterPosition: bigint, limit: number, readMs: number): Promise<ChangeSet> {
    if (!isWhole(view) || afterPosition > view.position)
      throw new CoverageGapError({ kind: 'position', afterPosition }, `storage ${this.#name}`);
    const page = await this.#page(view, afterPosition, limit);
    const throughPosition = page.throughPosition ?? view.position;
    return {
      afterPosition,
      throughPosition,
      headPosition: view.position,
      headMs: view.headMs,
      headMovePosition: view.movePosition,
      readMs,
      boundaries: boundariesIn(view, afterPosition, throughPosition),
      changes: page.changes,
    };
  }

  /**
   * The ends of flushes are boundaries, of which every file names one.
   * @throws CoverageGapError while the view is not whole.
   */
  boundaryAt(view: NamespaceView, at: { readonly ms: number } | { readonly position: bigint }): Boundary {
    if (!isWhole(view)) {
      const gap =
        'ms' in at
          ? ({ kind: 'time', startMs: at.ms, endMs: at.ms } as const)
          : ({ kind: 'position', afterPosition: at.position } as const);
      throw new CoverageGapError(gap, `storage ${this.#name}`);
    }
    let highest = BEGINNING;
    const offer = (position: bigint, ingestionMs: number) => {
      const isBelow = 'ms' in at ? ingestionMs <= at.ms : position <= at.position;
      if (isBelow && position > highest.position) highest = { position, ingestionMs };
    };
    offer(view.position, view.headMs);
    for (const { position, ms } of allFlushEnds(view)) offer(position, ms);
    return highest;
  }

  /** The changes after a position, and where they end when there may be more; at least one, if there is one. */
  async #page(
    view: NamespaceView,
    afterPosition: bigint,
    limit: number,
  ): Promise<{ readonly changes: readonly Change[]; readonly throughPosition: bigint | null }> {
    const sweep = await this.#sweepFrom(view, afterPosition);
    const changes: Change[] = [];
    let isFull = false;
    for (let bytes = 0; !isFull; ) {
      const places = await sweep.next(limit - changes.length);
      if (places.length === 0) break;
      const read = await this.#changes(withinBytes(places, READ_BYTES));
      let taken = 0;
      for (; taken < read.length && !isFull; taken += 1) {
        const change = read[taken] as Change;
        changes.push(change);
        bytes += CHANGE_BYTES + sizeOfChange(change);
        isFull = bytes >= MAX_SET_BYTES || changes.length === limit;
      }
      sweep.take(taken);
    }
    const last = changes.at(-1);
    if (!isFull || !last) return { changes, throughPosition: null };
    this.#sweep = { sweep, throughPosition: last.position };
    return { changes, throughPosition: last.position };
  }

  async #sweepFrom(view: NamespaceView, afterPosition: bigint): Promise<PositionSweep> {
    const known = this.#sweep;
    // two calls must not take from one sweep
    this.#sweep = null;
    if (known?.throughPosition === afterPosition && known.sweep.view.tables === view.tables) return known.sweep;
    const holds = await this.#ledger.holdTest(view);
    return new PositionSweep({
      view,
      afterPosition,
      reader: this.#reader,
      readPlaces: (table, file, groups) => this.#placesIn(holds, table, file, groups),
    });
  }

  async #placesIn(
    holds: Awaited<ReturnType<LedgerReads['holdTest']>>,
    table: TableName,
    file: DataFile,
    groups: readonly number[],
  ): Promise<readonly Place[]> {
    if (table !== 'ledger') return await this.#held(RECORD_TABLES[table], file, groups, () => true);
    // a record that came back is told by its row in its table
    return await this.#held(LEDGER_TABLE, file, groups, (key) => key.kind !== 'return' && holds(key));
  }

  async #held<T, K extends { readonly position: bigint }>(
    rows: TableRows<T, K>,
    file: DataFile,
    groups: readonly number[],
    holds: (key: K) => boolean,
  ): Promise<Place[]> {
    const keys = await this.#reader.keys(rows, file, groups);
    return keys.flatMap((inGroup, index) =>
      inGroup.flatMap((key, row) =>
        holds(key) ? [{ table: rows.table, file, position: key.position, group: groups[index] ?? 0, row }] : [],
      ),
    );
  }

  async #changes(places: readonly Place[]): Promise<Change[]> {
    const wanted = new Map<string, { source: Pick<Place, 'table' | 'file'>; groups: Set<number> }>();
    for (const { table, file, group } of places) {
      const entry = wanted.get(file.uri) ?? { source: { table, file }, groups: new Set<number>() };
      entry.groups.add(group);
      wanted.set(file.uri, entry);
    }
    const read = new Map<string, readonly Change[]>();
    await mapInParallel([...wanted.values()], PARALLEL_FILES, async ({ source, groups }) => {
      const inOrder = [...groups].sort((a, b) => a - b);
      const changes = await this.#read(source, inOrder);
      for (const [place, group] of inOrder.entries()) read.set(`${source.file.uri} ${group}`, changes[place] ?? []);
    });
    return places.map(({ file, group, row }) => read.get(`${file.uri} ${group}`)?.[row] as Change);
  }

  async #read(
    { table, file }: Pick<Place, 'table' | 'file'>,
    groups: readonly number[],
  ): Promise<readonly (readonly Change[])[]> {
    if (table === 'ledger')
      return (await this.#reader.records(LEDGER_TABLE, file, groups)).map((entries) => entries as Change[]);
    const records = RECORD_TABLES[table];
    const read = await this.#reader.records(records, file, groups);
    return read.map((inGroup) => inGroup.map((record) => records.changeOf(record)));
  }
}

/** The first of some rows, at least one, by the average size of a row in their files. */
function withinBytes(places: readonly Place[], mostBytes: number): readonly Place[] {
  let bytes = 0;
  const end = places.findIndex(({ file }) => {
    bytes += file.sizeBytes / file.rows;
    return bytes > mostBytes;
  });
  return end < 0 ? places : places.slice(0, Math.max(1, end));
}

function* allFlushEnds({ tables }: NamespaceView): Generator<FlushEnd> {
  for (const { files } of Object.values(tables)) for (const file of files) yield* flushEnds(file);
}

function boundariesIn(view: NamespaceView, afterPosition: bigint, throughPosition: bigint): readonly Boundary[] {
  const found = new Map<bigint, Boundary>();
  for (const { position, ms } of allFlushEnds(view))
    if (position > afterPosition && position <= throughPosition) found.set(position, { position, ingestionMs: ms });
  return [...found.values()].sort((a, b) => (a.position < b.position ? -1 : 1));
}
