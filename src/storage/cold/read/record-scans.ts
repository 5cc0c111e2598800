import { mapInParallel } from '../../../core/parallel.js';
import type { UnfinishedQuery } from '../../../model/list-query.js';
import { compareOrderKeys, type OrderKey } from '../../../model/order.js';
import { MAX_PAGE_BYTES, wholeOnes } from '../../../model/outlines.js';
import type { StoredExecution, StoredMessage } from '../../../model/records.js';
import type { DataFile } from '../namespace/data-file.js';
import type { DataFileReader } from '../namespace/file-reader.js';
import { EXECUTION_TABLE, MESSAGE_TABLE, type RecordTable } from '../namespace/record-tables.js';
import type { NamespaceView } from '../namespace/view.js';
import type { RecordKey } from '../rows/row-kind.js';
import type { FoundRow } from './file-cursor.js';
import type { Lists } from './lists.js';

const PARALLEL_FILES = 8;

/** Blocks above one, and up to another if there is one. */
interface Blocks {
  readonly after: bigint;
  readonly through: bigint | undefined;
}

/** The part of a key that says which block its record is of. */
interface BlockKey extends RecordKey {
  readonly blockNumber: bigint | null;
  readonly logIndex: number | null;
}

/**
 * Questions about all records of a table that only bookkeeping asks: whole files are passed over by statistics, the
 * rest is read.
 */
export class RecordScans {
  readonly #reader: DataFileReader;
  readonly #lists: Lists;

  constructor(reader: DataFileReader, lists: Lists) {
    this.#reader = reader;
    this.#lists = lists;
  }

  /** Messages that are neither orphaned nor successful. */
  async unfinished(
    view: NamespaceView,
    { limit, after, order }: UnfinishedQuery,
  ): Promise<{ readonly items: readonly StoredMessage[]; readonly more: boolean }> {
    const compare = (a: OrderKey, b: OrderKey) => compareOrderKeys(a, b) * (order === 'newest' ? -1 : 1);
    const files = view.tables.messages.files.filter(
      ({ stats }) => stats.minValues['status'] !== 'success' || stats.maxValues['status'] !== 'success',
    );
    const found = await this.#scan(
      MESSAGE_TABLE,
      files,
      (key) => key.status !== 'success' && (!after || compare(key, after) > 0),
    );
    found.sort((a, b) => compare(a.key, b.key));
    const items = wholeOnes(await this.#lists.recordsWithin(MESSAGE_TABLE, found.slice(0, limit), MAX_PAGE_BYTES));
    return { items, more: found.length > items.length };
  }

  /** Messages of a source chain in some blocks, by block and log index. */
  async messagesInBlocks(view: NamespaceView, source: bigint, blocks: Blocks): Promise<readonly StoredMessage[]> {
    return await this.#inBlocks(MESSAGE_TABLE, view, blocks, {
      hasLane: (lane) => lane.startsWith(`${source}-`),
      isOf: ({ sourceChainSelector }) => sourceChainSelector === source,
    });
  }

  /** Executions of a destination chain in some blocks that are not orphaned, by block and log index. */
  async executionsInBlocks(view: NamespaceView, dest: bigint, blocks: Blocks): Promise<readonly StoredExecution[]> {
    return await this.#inBlocks(EXECUTION_TABLE, view, blocks, {
      hasLane: (lane) => lane.endsWith(`-${dest}`),
      isOf: ({ destChainSelector }) => destChainSelector === dest,
    });
  }

  async #inBlocks<T, K extends BlockKey>(
    records: RecordTable<T, K>,
    view: NamespaceView,
    { after, through }: Blocks,
    chain: { hasLane(lane: string): boolean; isOf(key: K): boolean },
  ): Promise<readonly T[]> {
    const isIn = (lowest: bigint, highest: bigint) => highest > after && (through === undefined || lowest <= through);
    const files = view.tables[records.table].files.filter(({ listedByLane, stats: { minValues, maxValues } }) => {
      const [lowest, highest] = [minValues['block_number'], maxValues['block_number']];
      const hasBlock = lowest !== undefined && highest !== undefined && isIn(BigInt(lowest), BigInt(highest));
      return hasBlock && [...listedByLane.keys()].some(chain.hasLane);
    });
    const found = await this.#scan(records, files, (key) => {
      const { blockNumber } = key;
      return blockNumber !== null && isIn(blockNumber, blockNumber) && chain.isOf(key);
    });
    found.sort((a, b) => compareBlocks(a.key, b.key));
    return await this.#lists.recordsOf(records, found);
  }

  async #scan<T, K extends RecordKey>(
    records: RecordTable<T, K>,
    files: readonly DataFile[],
    wanted: (key: K) => boolean,
  ): Promise<FoundRow<T, K>[]> {
    const found = await mapInParallel(files, PARALLEL_FILES, async (file) => {
      const { groups } = await this.#reader.footer(records.table, file);
      const all = Array.from({ length: groups }, (_, group) => group);
      const keys = await this.#reader.keys(records, file, all);
      return keys.flatMap((inGroup, group) =>
        inGroup.flatMap((key, row): FoundRow<T, K>[] => (wanted(key) ? [{ key, file, group, row, record: null }] : [])),
      );
    });
    return found.flat();
  }
}

function compareBlocks(a: BlockKey, b: BlockKey): number {
  const [blockA, blockB] = [a.blockNumber ?? -1n, b.blockNumber ?? -1n];
  if (blockA !== blockB) return blockA < blockB ? -1 : 1;
  return (a.logIndex ?? -1) - (b.logIndex ?? -1) || (a.messageId < b.messageId ? -1 : 1);
}
