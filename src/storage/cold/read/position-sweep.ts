import { mapInParallel } from '../../../core/parallel.js';
import type { DataFile } from '../namespace/data-file.js';
import type { DataFileReader } from '../namespace/file-reader.js';
import type { NamespaceView, TableView } from '../namespace/view.js';
import { int64Bounds } from '../parquet/footer.js';
import type { TableName } from '../rows/table-name.js';

const PARALLEL_FILES = 4;
/** Row groups whose keys are read at once: about a thousand rows, which is a page. */
const GROUPS_AT_ONCE = 16;

/** A row that holds, and where it is. */
export interface Place {
  readonly table: TableName;
  readonly file: DataFile;
  readonly position: bigint;
  readonly group: number;
  readonly row: number;
}

/** A row group that was not read yet. */
interface GroupSource {
  readonly table: TableName;
  readonly file: DataFile;
  readonly group: number;
  readonly minPosition: bigint;
}

interface FileSource {
  readonly table: TableName;
  readonly file: DataFile;
}

/** Reads which rows of row groups hold, by row group. */
export type ReadPlaces = (table: TableName, file: DataFile, groups: readonly number[]) => Promise<readonly Place[]>;

/**
 * Goes through all rows of a view in position order. Files are opened when their lowest position comes, and of a file
 * its row groups likewise: a compacted file has many positions. Memory: a few words for each row that was read and
 * has a higher position than the page; rows mostly change soon after they were new, so those are few.
 */
export class PositionSweep {
  readonly view: NamespaceView;
  readonly #reader: DataFileReader;
  readonly #readPlaces: ReadPlaces;
  readonly #afterPosition: bigint;
  /** Files by their lowest position, as `#groups`. */
  readonly #files: FileSource[];
  #groups: GroupSource[] = [];
  /** Read and not taken, in position order. */
  #places: Place[] = [];

  constructor(parts: {
    readonly view: NamespaceView;
    readonly afterPosition: bigint;
    readonly reader: DataFileReader;
    readonly readPlaces: ReadPlaces;
  }) {
    this.view = parts.view;
    this.#reader = parts.reader;
    this.#readPlaces = parts.readPlaces;
    this.#afterPosition = parts.afterPosition;
    this.#files = Object.values(parts.view.tables)
      .flatMap(({ table, files }: TableView) => files.map((file) => ({ table, file })))
      .filter(({ file }) => file.maxPosition > parts.afterPosition)
      .sort((a, b) => compare(a.file.minPosition, b.file.minPosition));
  }

  /** The next rows, at most `limit` of them; fewer only when there are no more. They stay until they are taken. */
  async next(limit: number): Promise<readonly Place[]> {
    for (;;) {
      const [file, group] = [this.#files[0], this.#groups[0]];
      const last = this.#places[limit - 1];
      const bound = lower(file?.file.minPosition, group?.minPosition);
      // everything below the next source is there
      if (bound === undefined || (last && last.position < bound)) return this.#places.slice(0, limit);
      if (file && file.file.minPosition === bound) await this.#open();
      else await this.#read();
    }
  }

  /** Drops the first rows that `next` gave. */
  take(count: number): void {
    this.#places = this.#places.slice(count);
  }

  async #open(): Promise<void> {
    const files = this.#files.splice(0, PARALLEL_FILES);
    const found = await mapInParallel(files, PARALLEL_FILES, async ({ table, file }) => {
      const footer = await this.#reader.footer(table, file);
      const boundsOf = int64Bounds(footer, 'position');
      return Array.from({ length: footer.groups }, (_, group) => {
        const bounds = boundsOf(group);
        const minPosition = bounds?.min ?? file.minPosition;
        return { table, file, group, minPosition, maxPosition: bounds?.max ?? file.maxPosition };
      }).filter(({ maxPosition }) => maxPosition > this.#afterPosition);
    });
    this.#groups = [...this.#groups, ...found.flat()].sort((a, b) => compare(a.minPosition, b.minPosition));
  }

  async #read(): Promise<void> {
    const byFile = new Map<DataFile, { table: TableName; groups: number[] }>();
    for (const { table, file, group } of this.#groups.splice(0, GROUPS_AT_ONCE)) {
      const entry = byFile.get(file) ?? { table, groups: [] };
      entry.groups.push(group);
      byFile.set(file, entry);
    }
    const found = await mapInParallel([...byFile], PARALLEL_FILES, ([file, { table, groups }]) =>
      this.#readPlaces(
        table,
        file,
        groups.sort((a, b) => a - b),
      ),
    );
    for (const places of found)
      for (const place of places) if (place.position > this.#afterPosition) this.#places.push(place);
    this.#places.sort((a, b) => compare(a.position, b.position));
  }
}

function lower(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
