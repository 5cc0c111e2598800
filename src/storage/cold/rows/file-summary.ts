import { type FileStats, type StatValue, unitedStats } from '../delta/stats.js';
import type { ColumnSpec, ColumnValue } from '../parquet/columns.js';
import type { RowKind } from './row-kind.js';

/** Our own figures of a file, beyond the statistics that every engine knows. */
export interface FileSummary {
  readonly minPosition: bigint;
  readonly maxPosition: bigint;
  /** Rows by `laneName`. */
  readonly listedByLane: ReadonlyMap<string, number>;
}

/** Adds up the rows of one file. */
export class SummaryCollector<T, K extends { readonly position: bigint }> {
  readonly #kind: RowKind<T, K>;
  readonly #columns: (ColumnRange | null)[];
  readonly #listed = new Map<string, number>();
  #rows = 0;
  #minPosition: bigint | undefined;
  #maxPosition = 0n;
  /** Of whole files whose rows were not added one by one. */
  #united: FileStats | null = null;

  /** `isThere` is false for columns that the file does not have. */
  constructor(kind: RowKind<T, K>, isThere: (spec: ColumnSpec) => boolean = () => true) {
    this.#kind = kind;
    this.#columns = kind.columns.map((spec) => (isThere(spec) ? new ColumnRange(spec) : null));
  }

  add(key: K, values: readonly ColumnValue[]): void {
    this.#rows += 1;
    for (let index = 0; index < values.length; index++) this.#columns[index]?.add(values[index] ?? null);
    this.#addPositions(key.position, key.position);
    const lane = this.#kind.listedLane(key);
    if (lane !== null) this.#listed.set(lane, (this.#listed.get(lane) ?? 0) + 1);
  }

  /** Adds all rows of a file. */
  addFile(stats: FileStats, { minPosition, maxPosition, listedByLane }: FileSummary): void {
    this.#united = this.#united === null ? stats : unitedStats(this.#united, stats);
    this.#addPositions(minPosition, maxPosition);
    for (const [lane, rows] of listedByLane) this.#listed.set(lane, (this.#listed.get(lane) ?? 0) + rows);
  }

  #addPositions(min: bigint, max: bigint): void {
    if (this.#minPosition === undefined || min < this.#minPosition) this.#minPosition = min;
    if (max > this.#maxPosition) this.#maxPosition = max;
  }

  stats(): FileStats {
    const own = this.#ownStats();
    return this.#united === null ? own : unitedStats(own, this.#united);
  }

  #ownStats(): FileStats {
    const columns = this.#columns.filter((column) => column !== null);
    const bounded = columns.flatMap(({ name, range }) => (range ? [{ name, ...range }] : []));
    return {
      numRecords: this.#rows,
      minValues: Object.fromEntries(bounded.map(({ name, min }) => [name, min])),
      maxValues: Object.fromEntries(bounded.map(({ name, max }) => [name, max])),
      nullCount: Object.fromEntries(columns.map(({ name, nulls }) => [name, nulls])),
    };
  }

  summary(): FileSummary {
    return {
      minPosition: this.#minPosition ?? 0n,
      maxPosition: this.#maxPosition,
      listedByLane: new Map([...this.#listed].sort(([a], [b]) => (a < b ? -1 : 1))),
    };
  }
}

/** The bounds and nulls of one column. */
class ColumnRange {
  readonly name: string;
  nulls = 0;
  readonly #bounded: boolean;
  readonly #isTime: boolean;
  #min: string | bigint | undefined;
  #max: string | bigint | undefined;

  constructor({ name, type, statistics }: ColumnSpec) {
    this.name = name;
    // booleans, bytes and lists have no bounds in Delta's statistics
    this.#bounded = statistics && (type === 'string' || type === 'int64' || type === 'timestamp');
    this.#isTime = type === 'timestamp';
  }

  add(value: ColumnValue): void {
    if (value === null) this.nulls += 1;
    else if (this.#bounded && (typeof value === 'string' || typeof value === 'bigint')) {
      if (this.#min === undefined || value < this.#min) this.#min = value;
      if (this.#max === undefined || value > this.#max) this.#max = value;
    }
  }

  get range(): { readonly min: StatValue; readonly max: StatValue } | null {
    const [min, max] = [this.#min, this.#max];
    if (min === undefined || max === undefined) return null;
    if (!this.#isTime) return { min, max };
    return Number(max) > LAST_MICROS ? null : { min: timeText(min), max: timeText(max) };
  }
}

/** Times of later years have no text that every engine reads. */
const LAST_MICROS = Date.UTC(9999, 11, 31) * 1000;

/** A time as Delta's statistics have it. */
function timeText(micros: string | bigint): string {
  return new Date(Number(BigInt(micros) / 1000n)).toISOString();
}
