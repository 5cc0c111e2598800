import type { Change, ChangeSet } from '../batch.js';
import { CoverageGapError } from '../errors.js';
import type { Boundary } from '../storage.js';
import { type ColdFile, flushEnds, type TableName } from './cold-layout.js';
import { type ColdLedger, LEDGER_TABLE } from './cold-ledger.js';
import { mapInParallel } from './cold-parallel.js';
import type { ColdReader, TableRows } from './cold-reader.js';
import type { RowKey } from './cold-rows-kind.js';
import type { LedgerRowKey } from './cold-rows-ledger.js';
import { type ColdView, isWhole, type ListTable, MESSAGE_TABLE, RESULT_TABLE, type TableView } from './cold-view.js';

const PARALLEL_FILES = 4;
const BEGINNING: Boundary = { position: 0n, ingestionMs: -1 };

interface Source {
  readonly table: TableName;
  readonly file: ColdFile;
}

/** A row that holds, and where it is. */
interface Place extends Source {
  readonly position: bigint;
  readonly group: number;
  readonly row: number;
}

/** Where a reader of all changes, page by page, has come to: file by file from the lowest position on. */
interface Sweep {
  readonly view: ColdView;
  readonly throughPosition: bigint;
  /** Not read yet, by their lowest position. */
  readonly sources: Source[];
  /** Read and not taken, in position order. */
  readonly places: Place[];
}

function startSweep(view: ColdView, afterPosition: bigint): Sweep {
  const sources = Object.values(view.tables)
    .flatMap(({ table, files }: TableView) => files.map((file) => ({ table, file })))
    .filter(({ file }) => file.maxPosition > afterPosition)
    .sort((a, b) => (a.file.minPosition < b.file.minPosition ? -1 : 1));
  return { view, throughPosition: afterPosition, sources, places: [] };
}

/** What another storage can follow by: changes in position order, and points to start from. */
export class ColdChanges {
  readonly #name: string;
  readonly #reader: ColdReader;
  readonly #ledger: ColdLedger;
  #sweep: Sweep | null = null;

  constructor(parts: { readonly name: string; readonly reader: ColdReader; readonly ledger: ColdLedger }) {
    this.#name = parts.name;
    this.#reader = parts.reader;
    this.#ledger = parts.ledger;
  }

  /** @throws CoverageGapError beyond the view, and while the view is not whole. */
  async after(view: ColdView, afterPosition: bigint, limit: number, readMs: number): Promise<ChangeSet> {
    if (!isWhole(view) || afterPosition > view.position)
      throw new CoverageGapError({ kind: 'position', afterPosition }, `storage ${this.#name}`);
    const places = await this.#places(view, afterPosition, limit);
    const changes = await this.#changes(places);
    const last = places.at(-1);
    return {
      afterPosition,
      throughPosition: last && places.length === limit ? last.position : view.position,
      headPosition: view.position,
      headMs: view.headMs,
      headMovePosition: view.movePosition,
      readMs,
      changes,
    };
  }

  /**
   * The ends of flushes are boundaries, of which every file names one.
   * @throws CoverageGapError while the view is not whole.
   */
  boundaryAt(view: ColdView, at: { readonly ms: number } | { readonly position: bigint }): Boundary {
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
    for (const { files } of Object.values(view.tables))
      for (const file of files) for (const { position, ms } of flushEnds(file)) offer(position, ms);
    return highest;
  }

  /** The rows after a position that hold, in position order, at most `limit`. */
  async #places(view: ColdView, afterPosition: bigint, limit: number): Promise<Place[]> {
    const holds = await this.#ledger.holdTest(view);
    const goesOn = this.#sweep?.view === view && this.#sweep.throughPosition === afterPosition;
    const sweep = goesOn && this.#sweep ? this.#sweep : startSweep(view, afterPosition);
    // two calls must not take from one sweep
    this.#sweep = null;
    while (sweep.sources.length > 0) {
      const bound = sweep.sources[0]?.file.minPosition ?? 0n;
      // everything below what comes next is there
      const last = sweep.places[limit - 1];
      if (last && last.position < bound) break;
      const batch = sweep.sources.splice(0, PARALLEL_FILES);
      for (const places of await mapInParallel(batch, PARALLEL_FILES, (source) => this.#rowsOf(source, view, holds)))
        for (const place of places) if (place.position > afterPosition) sweep.places.push(place);
      sweep.places.sort((a, b) => (a.position < b.position ? -1 : 1));
    }
    const taken = sweep.places.slice(0, limit);
    const throughPosition = taken.at(-1)?.position;
    if (throughPosition !== undefined && sweep.places.length > limit)
      this.#sweep = { ...sweep, places: sweep.places.slice(limit), throughPosition };
    return taken;
  }

  async #rowsOf(
    source: Source,
    view: ColdView,
    holds: Awaited<ReturnType<ColdLedger['holdTest']>>,
  ): Promise<readonly Place[]> {
    switch (source.table) {
      case 'messages':
        return await this.#listed(MESSAGE_TABLE, source, view);
      case 'verifier_results':
        return await this.#listed(RESULT_TABLE, source, view);
      case 'ledger':
        return await this.#held<unknown, LedgerRowKey>(
          LEDGER_TABLE as TableRows<unknown, LedgerRowKey>,
          source,
          (key) => holds(key.kind, key.identity, key.position),
        );
    }
  }

  async #listed<T, K extends RowKey>(list: ListTable<T, K>, source: Source, view: ColdView): Promise<Place[]> {
    const { overlay } = view.tables[list.table];
    return await this.#held(list, source, (key) => !overlay.supersedes(key, view.position));
  }

  async #held<T, K extends { readonly position: bigint }>(
    rows: TableRows<T, K>,
    { table, file }: Source,
    holds: (key: K) => boolean,
  ): Promise<Place[]> {
    const { groups } = await this.#reader.footer(table, file);
    const keys = await this.#reader.keys(
      rows,
      file,
      Array.from({ length: groups }, (_, group) => group),
    );
    return keys.flatMap((inGroup, group) =>
      inGroup.flatMap((key, row) => (holds(key) ? [{ table, file, position: key.position, group, row }] : [])),
    );
  }

  async #changes(places: readonly Place[]): Promise<Change[]> {
    const wanted = new Map<string, { source: Source; groups: Set<number> }>();
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

  async #read({ table, file }: Source, groups: readonly number[]): Promise<readonly (readonly Change[])[]> {
    switch (table) {
      case 'messages':
        return (await this.#reader.records(MESSAGE_TABLE, file, groups)).map((records) =>
          records.map((record) => ({ kind: 'message', position: record.position, record })),
        );
      case 'verifier_results':
        return (await this.#reader.records(RESULT_TABLE, file, groups)).map((records) =>
          records.map((record) => ({ kind: 'verifierResult', position: record.position, record })),
        );
      case 'ledger':
        return await this.#reader.records(LEDGER_TABLE, file, groups);
    }
  }
}
