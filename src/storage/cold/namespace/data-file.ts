import { crc32 } from 'node:zlib';
import { parseExactJson } from '../../../protocol/exact-json.js';
import type { AddFile } from '../delta/actions.js';
import { DeltaFormatError } from '../delta/delta-errors.js';
import { dataFilePath, indexFilePath, pathToUri, uriToPath } from '../delta/paths.js';
import { DAY_COLUMN } from '../delta/schema.js';
import { type FileStats, parseStats, stringifyStats } from '../delta/stats.js';
import type { EncodedFile } from '../rows/data-file-encoder.js';

/** The place of a data file's sidecar index. */
export interface IndexPlace {
  /** Relative to the table's root. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly headBytes: number;
  /** The kinds of terms that it has of all rows of the file; none in files of older versions. */
  readonly termKinds: readonly string[];
}

/** A data file as its add action describes it. */
export interface DataFile {
  /** As the log has it; the name of the file in its table. */
  readonly uri: string;
  /** Relative to the table's root. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly footerBytes: number;
  /** CRC-32 of the footer; null in files of older versions. */
  readonly footerChecksum: number | null;
  readonly rows: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly minPosition: bigint;
  readonly maxPosition: bigint;
  /** Rows by `laneName`. */
  readonly listedByLane: ReadonlyMap<string, number>;
  /** The position that the flush which wrote it went up to. */
  readonly flushThrough: bigint;
  /** Ingestion time of the last commit of that flush; null when more was known to come. */
  readonly boundaryMs: number | null;
  /**
   * Ends of earlier flushes whose rows are in here since a compaction, ascending: points to start from, as
   * `boundaryMs`.
   */
  readonly boundaries: readonly FlushEnd[];
  /** Time of writing, unix ms by its writer's clock. */
  readonly writtenMs: number;
  readonly index: IndexPlace | null;
  readonly stats: FileStats;
  readonly add: AddFile;
}

/** The facts of a flush, in all its files. */
export interface FlushStamp {
  readonly flushThrough: bigint;
  readonly boundaryMs: number | null;
  readonly writtenMs: number;
  /** Compactions only. */
  readonly boundaries?: readonly FlushEnd[];
}

/** The end of a flush that held every change up to there. */
export interface FlushEnd {
  readonly position: bigint;
  readonly ms: number;
}

/** Names of the tags in an add action. All values are text. */
const TAG = {
  through: 'ccv.through',
  boundaryMs: 'ccv.boundaryMs',
  boundaries: 'ccv.boundaries',
  minPosition: 'ccv.minPosition',
  maxPosition: 'ccv.maxPosition',
  footerBytes: 'ccv.footerBytes',
  footerChecksum: 'ccv.footerCrc32',
  lanes: 'ccv.lanes',
  index: 'ccv.index',
  indexBytes: 'ccv.indexBytes',
  indexHeadBytes: 'ccv.indexHeadBytes',
  indexTerms: 'ccv.indexTerms',
} as const;

/** The place of a new file. */
export interface FilePlace {
  /** Unique for ever. */
  readonly id: string;
  readonly day: string;
  /** It rearranges rows of files that the same commit removes. */
  readonly isCompacted?: boolean;
}

/** The add action of a file that is about to be stored under `id`. */
export function describeFile(encoded: EncodedFile, place: FilePlace, stamp: FlushStamp): DataFile {
  const { summary, index, bytes, footerBytes } = encoded;
  const tags: Record<string, string> = {
    [TAG.through]: String(stamp.flushThrough),
    [TAG.boundaryMs]: stamp.boundaryMs === null ? '' : String(stamp.boundaryMs),
    [TAG.minPosition]: String(summary.minPosition),
    [TAG.maxPosition]: String(summary.maxPosition),
    [TAG.footerBytes]: String(footerBytes),
    [TAG.footerChecksum]: String(crc32(bytes.subarray(bytes.length - footerBytes))),
    [TAG.lanes]: JSON.stringify(Object.fromEntries(summary.listedByLane)),
  };
  if (stamp.boundaries && stamp.boundaries.length > 0)
    tags[TAG.boundaries] = stamp.boundaries.map(({ position, ms }) => `${position}:${ms}`).join(' ');
  if (index) {
    tags[TAG.index] = indexFilePath(place.day, place.id);
    tags[TAG.indexBytes] = String(index.bytes.length);
    tags[TAG.indexHeadBytes] = String(index.headBytes);
    if (encoded.termKinds.length > 0) tags[TAG.indexTerms] = encoded.termKinds.join(' ');
  }
  return readFileEntry({
    path: pathToUri(dataFilePath(place.day, place.id)),
    partitionValues: { [DAY_COLUMN]: place.day },
    size: bytes.length,
    modificationTime: stamp.writtenMs,
    dataChange: !place.isCompacted,
    stats: stringifyStats(encoded.stats),
    tags,
  });
}

/** Parsed entries: snapshots hand their actions on, and a table has thousands. */
const read = new WeakMap<AddFile, DataFile>();

/**
 * The data file of an add action.
 * @throws DeltaFormatError for an action of another writer: it lacks the tags that exact answers need.
 */
export function readFileEntry(add: AddFile): DataFile {
  const known = read.get(add);
  if (known) return known;
  const file = parseFileEntry(add);
  read.set(add, file);
  return file;
}

function parseFileEntry(add: AddFile): DataFile {
  const tags = new Tags(add);
  const stats = parseStats(add.stats ?? '{}');
  const indexPath = tags.optional(TAG.index);
  return {
    uri: add.path,
    path: uriToPath(add.path),
    sizeBytes: add.size,
    footerBytes: tags.number(TAG.footerBytes),
    footerChecksum: tags.optional(TAG.footerChecksum) === null ? null : tags.number(TAG.footerChecksum),
    rows: stats.numRecords,
    minMs: bound(stats, 'minValues'),
    maxMs: bound(stats, 'maxValues'),
    minPosition: tags.bigint(TAG.minPosition),
    maxPosition: tags.bigint(TAG.maxPosition),
    listedByLane: lanes(tags.text(TAG.lanes)),
    flushThrough: tags.bigint(TAG.through),
    boundaryMs: tags.optional(TAG.boundaryMs) === null ? null : tags.number(TAG.boundaryMs),
    boundaries: tags.flushEnds(TAG.boundaries),
    writtenMs: add.modificationTime,
    index:
      indexPath === null
        ? null
        : {
            path: indexPath,
            sizeBytes: tags.number(TAG.indexBytes),
            headBytes: tags.number(TAG.indexHeadBytes),
            termKinds: tags.optional(TAG.indexTerms)?.split(' ') ?? [],
          },
    stats,
    add,
  };
}

/** Reads tags; a missing or malformed one is a fault of the log. */
class Tags {
  readonly #add: AddFile;

  constructor(add: AddFile) {
    this.#add = add;
  }

  /** Null when absent or empty. */
  optional(name: string): string | null {
    return this.#add.tags?.[name] || null;
  }

  text(name: string): string {
    return this.optional(name) ?? this.#fail(name);
  }

  number(name: string): number {
    const value = Number(this.text(name));
    return Number.isSafeInteger(value) ? value : this.#fail(name);
  }

  bigint(name: string): bigint {
    const text = this.text(name);
    return /^\d+$/.test(text) ? BigInt(text) : this.#fail(name);
  }

  flushEnds(name: string): readonly FlushEnd[] {
    const texts = this.optional(name)?.split(' ') ?? [];
    return texts.map((text) => {
      const [, position, ms] = /^(\d+):(\d{1,15})$/.exec(text) ?? this.#fail(name);
      return { position: BigInt(position ?? 0), ms: Number(ms) };
    });
  }

  #fail(name: string): never {
    throw new DeltaFormatError(`a file lacks the tag ${name}: was it written by something else?`, {
      details: { path: this.#add.path },
    });
  }
}

/** Cursors alone have no ingestion time: a file of nothing else belongs to no time. */
function bound(stats: FileStats, of: 'minValues' | 'maxValues'): number {
  const value = stats[of]['ingestion_ms'];
  return value === undefined ? -1 : Number(value);
}

function lanes(text: string): ReadonlyMap<string, number> {
  let parsed: unknown;
  try {
    parsed = parseExactJson(text);
  } catch (cause) {
    throw new DeltaFormatError('the counts by lane of a file are not JSON', { cause });
  }
  const entries = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : [];
  return new Map(entries.map(([lane, count]) => [lane, Number(count)]));
}

/** The day that a file's rows are of, as its partition is named. */
export function dayOfFile({ add }: DataFile): string {
  return add.partitionValues[DAY_COLUMN] ?? '';
}

/** The ends of flushes that a file knows of. */
export function flushEnds({ flushThrough, boundaryMs, boundaries }: DataFile): readonly FlushEnd[] {
  return boundaryMs === null ? boundaries : [...boundaries, { position: flushThrough, ms: boundaryMs }];
}
