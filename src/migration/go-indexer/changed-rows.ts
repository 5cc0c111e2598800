import type { Hex } from '../../core/hex.js';
import { mapInParallel } from '../../core/parallel.js';
import { sameBody, sameBytes } from '../../model/commit/equality.js';
import { quarantineIdentity } from '../../model/identity.js';
import { CCVDataNotFoundError, MessageNotFoundError } from '../../model/storage-errors.js';
import type { Storage } from '../../storage/storage.js';
import { type BadRow, GO_INDEXER_SOURCE, type GoRecord } from './read-rows.js';

const LOOKUPS = 8;
const PAGE = 1_000;

/** Rows that differ from what the target holds. */
export interface ChangedRows {
  readonly rows: readonly (GoRecord | BadRow)[];
  /** One of them stands there at another time. */
  readonly moved: boolean;
}

/** Looks each row up in the target. */
export async function changedRows(
  target: Pick<Storage, 'getMessage' | 'getCCVData'>,
  rows: readonly (GoRecord | BadRow)[],
): Promise<ChangedRows> {
  let moved = false;
  const changed = await mapInParallel(rows, LOOKUPS, async (row) => {
    if (row.kind === 'bad') return [row];
    const stored = await (row.kind === 'message'
      ? storedMessage(target, row.record.messageId)
      : storedResult(target, row.record));
    if (stored === null) return [row];
    if (stored.ingestionMs !== row.ingestionMs) moved = true;
    else if (isSame(stored, row)) return [];
    return [row];
  });
  return { rows: changed.flat(), moved };
}

type Stored = Awaited<ReturnType<typeof storedMessage>> | Awaited<ReturnType<typeof storedResult>>;

function isSame(stored: NonNullable<Stored>, row: GoRecord): boolean {
  if (!sameBody(stored, row.record)) return false;
  if (row.kind === 'message') return 'status' in stored && stored.status === row.status;
  const { ccvData, attestationMs } = row.record;
  return 'ccvData' in stored && stored.attestationMs === attestationMs && sameBytes(stored.ccvData, ccvData);
}

async function storedMessage(target: Pick<Storage, 'getMessage'>, messageId: Hex) {
  try {
    return await target.getMessage(messageId);
  } catch (thrown) {
    if (thrown instanceof MessageNotFoundError) return null;
    throw thrown;
  }
}

async function storedResult(
  target: Pick<Storage, 'getCCVData'>,
  { messageId, verifierSourceAddress, verifierDestAddress }: (GoRecord & { kind: 'verifierResult' })['record'],
) {
  try {
    const results = await target.getCCVData(messageId);
    const isIt = (result: (typeof results)[number]) =>
      result.verifierSourceAddress === verifierSourceAddress && result.verifierDestAddress === verifierDestAddress;
    return results.find(isIt) ?? null;
  } catch (thrown) {
    if (thrown instanceof CCVDataNotFoundError) return null;
    throw thrown;
  }
}

/** The rows that the target keeps in quarantine. */
export class QuarantinedRows {
  readonly #known = new Map<
    string,
    { readonly reason: string; readonly table: string; readonly messageId: Hex | null }
  >();

  static async read(target: Pick<Storage, 'queryQuarantine'>): Promise<QuarantinedRows> {
    const rows = new QuarantinedRows();
    for (let afterPosition = 0n; ; ) {
      const page = await target.queryQuarantine({ afterPosition, limit: PAGE });
      for (const entry of page) if (entry.sourceId === GO_INDEXER_SOURCE) rows.add(entry);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return rows;
      afterPosition = last.position;
    }
  }

  has({ entry }: BadRow): boolean {
    return this.#known.has(quarantineIdentity(entry));
  }

  add(entry: BadRow['entry']): void {
    const table = entry.key.slice(0, entry.key.indexOf(':'));
    this.#known.set(quarantineIdentity(entry), { reason: entry.reason, table, messageId: entry.messageId });
  }

  /** Messages with rows that lack addresses. */
  withoutAddresses(): ReadonlySet<Hex> {
    const rows = [...this.#known.values()].filter(({ reason }) => reason === 'addresses_unknown');
    return new Set(rows.flatMap(({ messageId }) => (messageId === null ? [] : [messageId])));
  }

  /** Rows by table and reason: `messages message_id`. */
  counts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { table, reason } of this.#known.values()) {
      const key = `${table} ${reason}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return counts;
  }
}
