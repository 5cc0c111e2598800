import { IndexerError } from '../../../../core/errors.js';
import { stringifyExactJson } from '../../../../protocol/exact-json.js';
import type { Action, Protocol } from '../../delta/actions.js';
import { DeltaFormatError } from '../../delta/delta-errors.js';
import type { LogReader } from '../../delta/log-reader.js';
import { checkpointName, commitName, LAST_CHECKPOINT, LOG_FOLDER } from '../../delta/paths.js';
import { DAY_COLUMN, isSchemaOf } from '../../delta/schema.js';
import { type DeltaSnapshot, type FoundCommit, PROTOCOL, SnapshotBuilder } from '../../delta/snapshot.js';
import { firstColumns } from '../../parquet/columns.js';
import { TABLE_COLUMNS } from '../../rows/table-columns.js';
import type { TableName } from '../../rows/table-name.js';

/** Names a problem: the path relative to the table's root, the fault, the remedy. */
export type TellProblem = (path: string, what: string, advice: string) => void;

const FROM_BACKUP = 'restore the object from a copy of the bucket; until then a restart may not find the table';
const POINTER = `${LOG_FOLDER}/${LAST_CHECKPOINT}`;
const REBUILD = 'delete this object: readers then use the commits instead';

/**
 * Checks the log of one table against the rules of delta-io/delta, PROTOCOL.md, that readers rely on: versions
 * without gaps, commits that can be read, every checkpoint equal to the replay of the commits, and a replay that ends
 * in `snapshot`, the one of readers; null when they cannot open the table.
 */
export async function verifyLog(
  reader: LogReader,
  table: TableName,
  snapshot: DeltaSnapshot | null,
  tell: TellProblem,
): Promise<void> {
  const pointer = await readPointer(reader, tell);
  const { commits, checkpoints } = await reader.list(0);
  if (pointer >= 0 && !checkpoints.some(({ version }) => version === pointer))
    tell(POINTER, `it names checkpoint ${pointer}, which is not there`, REBUILD);
  const lastVersion = snapshot?.version ?? commits.at(-1)?.version ?? -1;
  const known = commits.map(({ version }) => version).filter((version) => version <= lastVersion);
  const marked = checkpoints.map(({ version }) => version).filter((version) => version <= lastVersion);
  const first = marked[0] !== undefined && (known[0] ?? 0) > 0 ? marked[0] : 0;
  const present = new Set(known);
  for (let version = first; version <= lastVersion; version += 1)
    if (!present.has(version) && !(version === first && marked.includes(first)))
      tell(`${LOG_FOLDER}/${commitName(version)}`, 'this commit is missing', FROM_BACKUP);

  const readCheckpoint = async (version: number): Promise<Action[] | null> => {
    try {
      return await reader.readCheckpoint(version);
    } catch (thrown) {
      tell(`${LOG_FOLDER}/${checkpointName(version)}`, messageOf(thrown), REBUILD);
      return null;
    }
  };
  let builder = new SnapshotBuilder();
  let isComplete = true;
  if (first > 0) {
    const actions = await readCheckpoint(first);
    if (actions) builder = builder.apply(actions);
    else isComplete = false;
  }
  for (let version = first > 0 ? first + 1 : 0; version <= lastVersion; version += 1) {
    const commit = await readCommit(reader, version, tell);
    if (commit) builder = builder.applyFound(commit);
    else isComplete = false;
    if (!marked.includes(version) || !isComplete) continue;
    const checkpoint = await readCheckpoint(version);
    const at = { version, checkpointVersion: -1, readMs: 0 };
    if (checkpoint && contentOf(new SnapshotBuilder().apply(checkpoint).build(at)) !== contentOf(builder.build(at)))
      tell(
        `${LOG_FOLDER}/${checkpointName(version)}`,
        'this checkpoint is not what the commits before it say',
        REBUILD,
      );
  }
  if (!snapshot) return;
  if (isComplete && contentOf(builder.build(snapshot)) !== contentOf(snapshot))
    tell('', 'the replay of all commits is not the table that readers see', 'restart readers; if it stays, report it');
  verifyMetadata(table, snapshot, tell);
}

/** Our readers do without it, those of other engines may not. */
async function readPointer(reader: LogReader, tell: TellProblem): Promise<number> {
  try {
    return await reader.readPointer();
  } catch (thrown) {
    tell(POINTER, messageOf(thrown), REBUILD);
    return -1;
  }
}

async function readCommit(reader: LogReader, version: number, tell: TellProblem): Promise<FoundCommit | null> {
  try {
    return await reader.readCommit(version);
  } catch (thrown) {
    tell(`${LOG_FOLDER}/${commitName(version)}`, messageOf(thrown), FROM_BACKUP);
    return null;
  }
}

function verifyMetadata(table: TableName, { metadata, protocol }: DeltaSnapshot, tell: TellProblem): void {
  const advice = "something else than ccv-indexer has changed the table: undo it with 'ccv-indexer storage rollback'";
  const textOf = ({ minReaderVersion, minWriterVersion, writerFeatures = [] }: Protocol) =>
    `${minReaderVersion}/${minWriterVersion} ${writerFeatures.join()}`;
  if (textOf(protocol) !== textOf(PROTOCOL))
    tell('', `the protocol is ${textOf(protocol)}, not ${textOf(PROTOCOL)}`, advice);
  const columns = TABLE_COLUMNS[table];
  // the next flush adds columns that came later
  if (![columns, firstColumns(columns)].some((each) => isSchemaOf(each, metadata.schemaString)))
    tell('', 'the schema is not that of the files', advice);
  if (metadata.partitionColumns.join() !== DAY_COLUMN)
    tell('', `the table is partitioned by "${metadata.partitionColumns.join()}", not by ${DAY_COLUMN}`, advice);
}

/** The content of a snapshot, in one text. `dataChange` belongs to a commit, and tombstones of checkpoints expire. */
function contentOf({ protocol, metadata, files, transactions }: DeltaSnapshot): string {
  const byName = <V>(map: ReadonlyMap<string, V>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  return stringifyExactJson({
    protocol,
    metadata: { ...metadata, configuration: byName(new Map(Object.entries(metadata.configuration))) },
    files: byName(files).map(([, { tags, partitionValues, path, size, modificationTime, stats }]) => ({
      path,
      size,
      modificationTime,
      stats,
      tags: byName(new Map(Object.entries(tags ?? {}))),
      partitionValues,
    })),
    transactions: byName(transactions).map(([, { appId, version, lastUpdated }]) => ({ appId, version, lastUpdated })),
  });
}

/** The message of a damaged object's error. @throws errors that are not about the object. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof DeltaFormatError) return thrown.message;
  if (thrown instanceof IndexerError && /^(PARQUET|ID_INDEX|DELTA|OBJECT_NOT_FOUND|OBJECT_RANGE)/.test(thrown.code))
    return thrown.message;
  throw thrown;
}
