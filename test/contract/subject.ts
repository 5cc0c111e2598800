import type { Hex } from '../../src/core/hex.js';
import type { Count, CountQuery, ListQuery, Page } from '../../src/model/list-query.js';
import { readLane } from '../../src/model/payload.js';
import type { Storage } from '../../src/storage/storage.js';

/** A fresh, empty storage under test. */
export interface ContractSubject {
  readonly storage: Storage;
  /** Moves the subject's clock when it does not run on the machine's. */
  readonly clock?: { advance(durationMs: number): void };
  /** Durable storages: another instance over the same data, also after `storage` was closed. The caller closes it. */
  readonly reopen?: () => Promise<Storage>;
  /** Closes the storage (which the test may have done already) and everything around it. */
  close(): Promise<void>;
}

/** Gives a case the subject of the running test. */
export type Use = () => ContractSubject;

/** Bytes as hex, deeply: so that a Buffer equals a Uint8Array and a difference is readable. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes:${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
  return value;
}

/** Only the fields of `value` that `like` has, plain: to compare what was stored with what was given. */
export function fieldsOf(value: object, like: object): unknown {
  const fields = value as Record<string, unknown>;
  return plain(Object.fromEntries(Object.keys(like).map((key) => [key, fields[key]])));
}

/** What both kinds of listed record have. */
export interface Listed {
  readonly messageId: Hex;
  readonly ingestionMs: number;
  readonly encodedMessage: Uint8Array;
  readonly verifierSourceAddress?: Hex;
  readonly verifierDestAddress?: Hex;
}

/** The two list endpoints under one face. */
export interface Lists {
  readonly kind: 'verifier results' | 'messages';
  query(query: ListQuery): Promise<Page<Listed>>;
  count(query: CountQuery): Promise<Count>;
}

export function listsOf(storage: Storage): readonly Lists[] {
  return [
    {
      kind: 'verifier results',
      query: (query) => storage.queryCCVData(query),
      count: (query) => storage.countCCVData(query),
    },
    {
      kind: 'messages',
      query: (query) => storage.queryMessages(query),
      count: (query) => storage.countMessages(query),
    },
  ];
}

/** All pages by cursor. */
export async function byCursor(list: Lists, query: ListQuery, limit: number): Promise<Listed[]> {
  const items: Listed[] = [];
  let cursor: string | undefined;
  do {
    const page = await list.query({ ...query, limit, ...(cursor === undefined ? {} : { cursor }) });
    items.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return items;
}

/** All pages by offset. */
export async function byOffset(list: Lists, query: ListQuery, limit: number): Promise<Listed[]> {
  const items: Listed[] = [];
  for (;;) {
    const page = await list.query({ ...query, limit, offset: items.length });
    items.push(...page.items);
    if (page.items.length < limit) return items;
  }
}

/** A record's place in the order, as one comparable text. */
export function place(record: Listed): string {
  const { ingestionMs, messageId, verifierSourceAddress = '0x', verifierDestAddress = '0x' } = record;
  return `${String(ingestionMs).padStart(16, '0')} ${messageId} ${verifierSourceAddress} ${verifierDestAddress}`;
}

/** Says of a flat list which places a query must answer with. */
export function placesIn(flat: readonly Listed[]): (query: ListQuery) => string[] {
  const records = flat.map((record) => ({
    ingestionMs: record.ingestionMs,
    place: place(record),
    ...readLane(record.encodedMessage),
  }));
  const keeps = (wanted: readonly bigint[] | undefined, selector: bigint) =>
    wanted === undefined || wanted.length === 0 || wanted.includes(selector);
  return (query) => {
    const expected = records.filter(
      ({ ingestionMs, sourceChainSelector, destChainSelector }) =>
        ingestionMs >= (query.startMs ?? 0) &&
        ingestionMs <= (query.endMs ?? Number.POSITIVE_INFINITY) &&
        keeps(query.sourceChainSelectors, sourceChainSelector) &&
        keeps(query.destChainSelectors, destChainSelector),
    );
    return expected.map((record) => record.place);
  };
}

/** Every answer of a storage that does not depend on who gives it: what two storages must agree on. */
export async function everything(storage: Storage): Promise<unknown> {
  const results = (await storage.queryCCVData({ limit: 10_000 })).items;
  const messages = (await storage.queryMessages({ limit: 10_000 })).items;
  const ids = [...new Set([...results, ...messages].map((record) => record.messageId))];
  return plain({
    results,
    messages,
    byId: await Promise.all(ids.map(async (id) => await storage.getCCVData(id).catch((error: Error) => error.name))),
    executions: await Promise.all(ids.map(async (id) => await storage.getExecutions(id))),
    transactions: await Promise.all(
      messages
        .slice(-10)
        .map(async ({ origin }) => origin && (await storage.getTransaction(origin.transactionHash)).value),
    ),
    unfinished: (await storage.queryUnfinishedMessages({ limit: 10_000 })).items,
    cursors: await storage.listCursors(),
    quarantine: await storage.queryQuarantine({ afterPosition: 0n, limit: 10_000 }),
    conflicts: await storage.queryConflicts({ afterPosition: 0n, limit: 10_000 }),
  });
}
