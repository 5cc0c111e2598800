import { mapInParallel } from '../../../core/parallel.js';
import type { ResolvedListQuery } from '../../../model/list-query.js';
import { compareOrderKeys } from '../../../model/order.js';
import { MAX_PAGE_BYTES, wholeOnes } from '../../../model/outlines.js';
import type { StoredMessage } from '../../../model/records.js';
import type { DataFile } from '../namespace/data-file.js';
import type { DataFileReader } from '../namespace/file-reader.js';
import { MESSAGE_TABLE } from '../namespace/record-tables.js';
import type { NamespaceView } from '../namespace/view.js';
import type { MessageRowKey } from '../rows/row-kind.js';
import type { FoundRow } from './file-cursor.js';
import type { Lists } from './lists.js';

const PARALLEL_FILES = 8;

type FoundMessage = FoundRow<StoredMessage, MessageRowKey>;

/**
 * Questions about all messages that only bookkeeping asks: whole files are passed over by statistics, the rest is
 * read.
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
    { limit, after }: Pick<ResolvedListQuery, 'limit' | 'after'>,
  ): Promise<{ readonly items: readonly StoredMessage[]; readonly more: boolean }> {
    const files = view.tables.messages.files.filter(
      ({ stats }) => stats.minValues['status'] !== 'success' || stats.maxValues['status'] !== 'success',
    );
    const found = await this.#scan(
      files,
      (key) => key.status !== 'success' && (after === null || compareOrderKeys(key, after) > 0),
    );
    found.sort((a, b) => compareOrderKeys(a.key, b.key));
    const items = wholeOnes(await this.#lists.recordsWithin(MESSAGE_TABLE, found.slice(0, limit), MAX_PAGE_BYTES));
    return { items, more: found.length > items.length };
  }

  /** Messages of a source chain in blocks above one, by block and log index. */
  async aboveBlock(view: NamespaceView, source: bigint, afterBlock: bigint): Promise<readonly StoredMessage[]> {
    const files = view.tables.messages.files.filter(({ listedByLane, stats }) => {
      const highest = stats.maxValues['block_number'];
      const hasSource = [...listedByLane.keys()].some((lane) => lane.startsWith(`${source}-`));
      return hasSource && highest !== undefined && BigInt(highest) > afterBlock;
    });
    const found = await this.#scan(
      files,
      (key) => key.sourceChainSelector === source && key.blockNumber !== null && key.blockNumber > afterBlock,
    );
    found.sort((a, b) => compareBlocks(a.key, b.key));
    return await this.#lists.recordsOf(MESSAGE_TABLE, found);
  }

  async #scan(files: readonly DataFile[], wanted: (key: MessageRowKey) => boolean): Promise<FoundMessage[]> {
    const found = await mapInParallel(files, PARALLEL_FILES, async (file) => {
      const { groups } = await this.#reader.footer('messages', file);
      const all = Array.from({ length: groups }, (_, group) => group);
      const keys = await this.#reader.keys(MESSAGE_TABLE, file, all);
      return keys.flatMap((inGroup, group) =>
        inGroup.flatMap((key, row): FoundMessage[] => (wanted(key) ? [{ key, file, group, row, record: null }] : [])),
      );
    });
    return found.flat();
  }
}

function compareBlocks(a: MessageRowKey, b: MessageRowKey): number {
  const [blockA, blockB] = [a.blockNumber ?? -1n, b.blockNumber ?? -1n];
  if (blockA !== blockB) return blockA < blockB ? -1 : 1;
  return (a.logIndex ?? -1) - (b.logIndex ?? -1) || (a.messageId < b.messageId ? -1 : 1);
}
