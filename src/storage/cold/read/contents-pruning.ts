import type { Hex } from '../../../core/hex.js';
import { mapInParallel } from '../../../core/parallel.js';
import type { ContentsFilter } from '../../../model/contents-filter.js';
import type { DataFile } from '../namespace/data-file.js';
import type { DataFileReader } from '../namespace/file-reader.js';
import { indexTerm, type TermKind } from '../rows/index-terms.js';
import type { TableName } from '../rows/table-name.js';

const PARALLEL_FILTERS = 32;
const PARALLEL_TERMS = 8;

/** The addresses of a filter by the kind of their terms; each kind must match. */
type Wanted = readonly (readonly [TermKind, readonly Hex[]])[];

function wantedTerms(contents: ContentsFilter | null): Wanted {
  if (contents === null) return [];
  const { senders, receivers, tokens } = contents;
  const all = [
    ['sender', senders],
    ['receiver', receivers],
    ['token', tokens],
  ] as const;
  return all.flatMap(([kind, values]) => (values === null ? [] : [[kind, values] as const]));
}

/**
 * The files that may have rows of a filter, as the heads of their indexes tell: most of a rare address cost nothing. A
 * file whose index has no terms may have them.
 */
export async function filesWith(
  reader: DataFileReader,
  table: TableName,
  files: readonly DataFile[],
  contents: ContentsFilter | null,
): Promise<readonly DataFile[]> {
  const wanted = wantedTerms(contents);
  if (wanted.length === 0) return files;
  const isHit = await mapInParallel(files, PARALLEL_FILTERS, async (file) => {
    for (const [kind, values] of wanted) {
      const mayHold = await reader.termFilter(table, file, kind);
      if (mayHold && !values.some(mayHold)) return false;
    }
    return true;
  });
  return files.filter((_, place) => isHit[place]);
}

/** Says of the row groups of a file whether they may have rows of a filter: false is certain. */
export async function groupsWith(
  reader: DataFileReader,
  table: TableName,
  file: DataFile,
  contents: ContentsFilter | null,
): Promise<(group: number) => boolean> {
  const sets: ReadonlySet<number>[] = [];
  for (const [kind, values] of wantedTerms(contents)) {
    const mayHold = await reader.termFilter(table, file, kind);
    if (!mayHold) continue;
    const groups = await mapInParallel(values.filter(mayHold), PARALLEL_TERMS, (value) =>
      reader.groupsOf(table, file, indexTerm(kind, value)),
    );
    sets.push(new Set(groups.flat()));
  }
  return (group) => sets.every((set) => set.has(group));
}
