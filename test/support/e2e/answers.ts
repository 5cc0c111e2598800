import { expect } from 'vitest';
import { messageEntryJson, verifierResultJson } from '../../../src/api/v1/record-json.js';
import type { Hex } from '../../../src/core/hex.js';
import type { StoredMessage, StoredVerifierResult } from '../../../src/model/records.js';
import type { History } from './history.js';
import { body, get } from './http.js';

/** Which part of a list is asked for. Times in unix ms, both inclusive. */
export interface Asked {
  readonly startMs?: number;
  readonly endMs?: number;
  readonly limit?: number;
  readonly offset?: number;
}

const LIMIT = 1_000;
/** Lookups under way. */
const AT_ONCE = 8;

/** Entries are rendered once a record: tests hold thousands of answers against the same history. */
const rendered = new WeakMap<object, string>();
function once<T extends object>(record: T, render: (record: T) => string): string {
  const text = rendered.get(record) ?? render(record);
  rendered.set(record, text);
  return text;
}

/** The query string that asks for it. */
function queryOf({ startMs, endMs, limit = LIMIT, offset = 0 }: Asked): string {
  const bounds = [startMs === undefined ? '' : `start=${startMs}&`, endMs === undefined ? '' : `end=${endMs}&`];
  return `${bounds.join('')}limit=${limit}&offset=${offset}`;
}

/** The body that `/v1/messages` must have, to the byte. */
export function expectedMessages({ messages }: History, asked: Asked): string {
  const entries = part(messages, asked).map((record) => `"${record.messageId}":${once(record, messageEntryJson)}`);
  return `{"success":true,"messages":{${entries.join(',')}}}`;
}

/** The body that `/v1/verifierresults` must have, to the byte: by message, where its first result stands. */
export function expectedResults({ results }: History, asked: Asked): string {
  const groups = new Map<Hex, string[]>();
  for (const record of part(results, asked))
    groups.set(record.messageId, [...(groups.get(record.messageId) ?? []), once(record, verifierResultJson)]);
  const entries = [...groups].map(([messageId, texts]) => `"${messageId}":[${texts.join(',')}]`);
  return `{"success":true,"verifierResults":{${entries.join(',')}}}`;
}

/** The body that `/v1/verifierresults/{id}` must have for each id that has results, to the byte; orphaned or not. */
export function expectedById({ results }: History): ReadonlyMap<Hex, string> {
  const groups = new Map<Hex, StoredVerifierResult[]>();
  for (const record of results) groups.set(record.messageId, [...(groups.get(record.messageId) ?? []), record]);
  return new Map(
    [...groups].map(([messageId, records]) => {
      const inOrder = records.sort((a, b) => compare(addresses(a), addresses(b)));
      const texts = inOrder.map((record) => once(record, verifierResultJson));
      return [messageId, `{"success":true,"results":[${texts.join(',')}],"messageID":"${messageId}"}`];
    }),
  );
}

/** The last ingestion time of a history, unix ms. */
export function lastMs({ messages, results }: History): number {
  return Math.max(messages.at(-1)?.ingestionMs ?? 0, results.at(-1)?.ingestionMs ?? 0);
}

/** Asks a query API for everything, list by list, page by page and id by id: each answer must be the history's to the byte. */
export async function expectWholeTruth(apiUrl: string, history: History): Promise<void> {
  const endMs = lastMs(history);
  for (const [path, expected, count] of [
    ['messages', expectedMessages, listed(history.messages).length],
    ['verifierresults', expectedResults, listed(history.results).length],
  ] as const) {
    for (const limit of [LIMIT, 97])
      for (let offset = 0; offset <= count; offset += limit) {
        const asked = { endMs, limit, offset };
        const text = await body(`${apiUrl}/v1/${path}?${queryOf(asked)}`);
        expect(text === expected(history, asked), `${path}?${queryOf(asked)}`).toBe(true);
      }
  }
  const byId = [...expectedById(history)];
  for (let from = 0; from < byId.length; from += AT_ONCE)
    await Promise.all(
      byId.slice(from, from + AT_ONCE).map(async ([messageId, expected]) => {
        const { status, text } = await get(`${apiUrl}/v1/verifierresults/${messageId}`);
        expect({ messageId, status, text }).toEqual({ messageId, status: 200, text: expected });
      }),
    );
}

function part<T extends StoredMessage | StoredVerifierResult>(records: readonly T[], asked: Asked): readonly T[] {
  const { startMs = 0, endMs = Number.POSITIVE_INFINITY, limit = LIMIT, offset = 0 } = asked;
  return listed(records)
    .filter(({ ingestionMs }) => ingestionMs >= startMs && ingestionMs <= endMs)
    .slice(offset, offset + limit);
}

/** Without what a reorg took. */
export function listed<T extends { readonly orphaned: boolean }>(records: readonly T[]): readonly T[] {
  return records.filter(({ orphaned }) => !orphaned);
}

function addresses({ verifierSourceAddress, verifierDestAddress }: StoredVerifierResult): string {
  return `${verifierSourceAddress} ${verifierDestAddress}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
