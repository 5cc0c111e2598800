import { mapInParallel } from '../../../core/parallel.js';
import { hashId } from '../id-index/hash.js';
import type { DataFile } from '../namespace/data-file.js';
import type { DataFileReader } from '../namespace/file-reader.js';
import type { RecordTable } from '../namespace/record-tables.js';
import { ceilingMs, type NamespaceView } from '../namespace/view.js';
import type { RecordKey } from '../rows/row-kind.js';

const PARALLEL_FILTERS = 16;
/** Ids whose rows are looked up one by one in a file. Of more the file has some: its filter is wrong once in 65 536. */
const LOOKED_UP_IDS = 32;

/** A file, and the identities of the rows in it that changes replace or take out of the lists. */
export interface Holder {
  readonly file: DataFile;
  readonly identities: ReadonlySet<string>;
}

/**
 * The files of a table that hold earlier states of changed records. A record that did not move has its ingestion time
 * for good, so that its earlier state is in a file with that time; one that moved lies between its first time and its
 * present one. An ingestion time above all of the table's is a new record's, unless records moved since.
 */
export async function findHolders<T, K extends RecordKey>(
  reader: DataFileReader,
  table: RecordTable<T, K>,
  view: NamespaceView,
  { changed, moved }: { readonly changed: readonly K[]; readonly moved: boolean },
): Promise<readonly Holder[]> {
  const ceiling = ceilingMs(view.tables[table.table]);
  const isNew = (key: K) => key.ingestionMs > ceiling && !(moved && key.firstMs <= ceiling);
  const asked = changed.filter((key) => !isNew(key)).map((key) => ({ key, hash: hashId(key.messageId) }));
  if (asked.length === 0) return [];
  // none of the filters is held longer than it is asked: one old record can reach over all files
  const found = await mapInParallel(view.tables[table.table].files, PARALLEL_FILTERS, async (file) => {
    const here = asked.filter(({ key }) => file.minMs <= key.ingestionMs && file.maxMs >= earliestMs(key, moved));
    if (here.length === 0) return null;
    const mayContain = await reader.filter(table.table, file);
    const hits = here.filter(({ hash }) => mayContain(hash)).map(({ key }) => key);
    const identities =
      hits.length > LOOKED_UP_IDS
        ? hits.map((key) => table.identityOf(key))
        : await identitiesIn(reader, table, file, hits);
    return identities.length > 0 ? { file, identities: new Set(identities) } : null;
  });
  return found.filter((holder) => holder !== null);
}

function earliestMs({ firstMs, ingestionMs }: RecordKey, moved: boolean): number {
  return moved ? firstMs : ingestionMs;
}

/** The identities of some changed records that have a row in a file. */
async function identitiesIn<T, K extends RecordKey>(
  reader: DataFileReader,
  table: RecordTable<T, K>,
  file: DataFile,
  changed: readonly K[],
): Promise<readonly string[]> {
  const groups = new Set<number>();
  for (const { messageId } of changed)
    for (const group of await reader.groupsOf(table.table, file, messageId)) groups.add(group);
  if (groups.size === 0) return [];
  const wanted = new Set(changed.map((key) => table.identityOf(key)));
  const inOrder = [...groups].sort((a, b) => a - b);
  const keys = (await reader.keys(table, file, inOrder)).flat();
  return keys.map((key) => table.identityOf(key)).filter((identity) => wanted.has(identity));
}
