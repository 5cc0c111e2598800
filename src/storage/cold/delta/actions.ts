/*
 * The actions of a Delta table's log that we write and read (delta-io/delta, PROTOCOL.md, "Actions"). Fields and
 * actions that are not named here are ignored when read, as the protocol asks.
 */

/** A file of the table. Adding a path again replaces its entry. */
export interface AddFile {
  /** Relative to the table's root, as a URI: see `pathToUri`. */
  readonly path: string;
  readonly partitionValues: Readonly<Record<string, string | null>>;
  readonly size: number;
  /** Time at which the file was made, unix ms. */
  readonly modificationTime: number;
  /** False when the file only rearranges rows that the same commit removes. */
  readonly dataChange: boolean;
  /** JSON text, see `parseStats`; null when there are none. */
  readonly stats: string | null;
  readonly tags: Readonly<Record<string, string | null>> | null;
}

/** A file that is no longer of the table; its tombstone stays as long as readers may hold it. */
export interface RemoveFile {
  readonly path: string;
  /** Unix ms; null when the writer did not say. */
  readonly deletionTimestamp: number | null;
  readonly dataChange: boolean;
  /** True when `partitionValues` and `size` are known. */
  readonly extendedFileMetadata: boolean;
  readonly partitionValues: Readonly<Record<string, string | null>> | null;
  readonly size: number | null;
}

/** The progress of an application: the last one of an `appId` holds. */
export interface Transaction {
  readonly appId: string;
  readonly version: bigint;
  readonly lastUpdated: number | null;
}

/** The protocol versions that readers and writers of the table need. */
export interface Protocol {
  readonly minReaderVersion: number;
  readonly minWriterVersion: number;
  /** From writer version 7 on. */
  readonly writerFeatures?: readonly string[];
}

/** The metadata of the table. */
export interface TableMetadata {
  /** A GUID. */
  readonly id: string;
  readonly name: string | null;
  readonly description: string | null;
  /** JSON text of a struct type, see `tableSchemaString`. */
  readonly schemaString: string;
  readonly partitionColumns: readonly string[];
  readonly configuration: Readonly<Record<string, string>>;
  readonly createdTime: number | null;
}

/** Free facts of a commit. */
export interface CommitInfo {
  /** For people, such as `WRITE`, `OPTIMIZE`. */
  readonly operation: string;
  readonly operationParameters?: Readonly<Record<string, string>>;
  readonly operationMetrics?: Readonly<Record<string, string>>;
}

/** One line of a commit. */
export type Action =
  | { readonly add: AddFile }
  | { readonly remove: RemoveFile }
  | { readonly txn: Transaction }
  | { readonly metaData: TableMetadata }
  | { readonly protocol: Protocol };

/** The removal of a file, now. */
export function removeOf(file: AddFile, deletionTimestamp: number, dataChange: boolean): Action {
  const { path, partitionValues, size } = file;
  return { remove: { path, deletionTimestamp, dataChange, extendedFileMetadata: true, partitionValues, size } };
}
