import { setImmediate } from 'node:timers/promises';
import type { Hex } from '../../../src/core/hex.js';
import { expectedById, expectedMessages, expectedResults, lastMs, listed } from './answers.js';
import type { History } from './history.js';
import { messagesIn, resultsIn } from './http.js';
import type { Asking, OutageClients, Question } from './outage-clients.js';

/** Kinds of questions that only the cold tier has an answer for. */
export const NEEDS_COLD = ['old messages', 'old results', 'all messages', 'old id'];

/** Kinds of questions about what came since the outage began. */
export const RECENT = ['recent messages', 'recent results', 'recent id'];

/** What the clients ask: `old` is what only the cold tier has, `recent` what it has not been given yet. */
export function questions(
  past: History,
  recent: { readonly sinceMs: number | null; readonly ids: readonly Hex[] },
): Readonly<Record<string, Question>> {
  const ids = [...new Set(past.results.map(({ messageId }) => messageId))];
  const pastMs = lastMs(past);
  let turns = 0;
  const turn = () => {
    turns += 1;
    return turns;
  };
  const next = <T>(from: readonly T[]): T | undefined => from[turn() % from.length];
  const sinceRecent = (path: string) => (recent.sinceMs === null ? null : `${path}?start=${recent.sinceMs}&limit=1000`);
  const byId = (id: string | undefined) => (id === undefined ? null : `/v1/verifierresults/${id}`);
  return {
    'old messages': () => `/v1/messages?start=0&end=${pastMs}&limit=1000`,
    'old results': () => `/v1/verifierresults?start=0&end=${pastMs}&limit=1000`,
    'all messages': () => '/v1/messages?limit=1000',
    'old id': () => byId(next(ids)),
    'recent messages': () => sinceRecent('/v1/messages'),
    'recent results': () => sinceRecent('/v1/verifierresults'),
    'recent id': () => byId(next(recent.ids)),
    'unknown id': () => byId(`0x${turn().toString(16).padStart(64, 'f')}`),
    ready: () => '/ready',
  };
}

/**
 * Every answer was a 503 that names what is missing, or whole. Thousands take seconds: between them everything else in
 * this process goes on, such as the proxy that the other outage's S3 is behind.
 */
export async function wrongAnswers(clients: OutageClients, history: History, began: Began): Promise<readonly string[]> {
  const byId = expectedById(history);
  const wrong: string[] = [];
  for (const answer of clients.answers) {
    await setImmediate();
    const fault = faultOf(answer, history, byId, began);
    const { kind, path, status, text, stage, elapsedMs } = answer;
    if (fault === null) continue;
    wrong.push(
      `${stage}: ${kind} ${path} answered ${status} after ${Math.round(elapsedMs)} ms: ${fault}: ${text.slice(0, 300)}`,
    );
  }
  return wrong;
}

function faultOf(answer: Asking, history: History, byId: ReadonlyMap<Hex, string>, began: Began): string | null {
  const { kind, path, status, text, stage } = answer;
  const usual = kind === 'unknown id' ? 404 : 200;
  if (['during', 'after restart'].includes(stage) && status !== (NEEDS_COLD.includes(kind) ? 503 : usual))
    return 'another status than without S3';
  if (['before', 'after'].includes(stage) && status !== usual) return 'another status than with S3';
  if (status === 503) return isRefusal(answer, began) ? null : 'names something else than what S3 has';
  if (status !== usual) return 'a status that is never right';
  if (status === 404 || kind === 'ready') return null;
  const isRight = kind.endsWith(' id') ? text === byId.get(path.slice(-66) as Hex) : isWhole(answer, history);
  return isRight ? null : 'not what is stored';
}

/** Where the tiers stood when S3 went away. */
export interface Began {
  readonly floorMs: number;
  readonly coldMs: number;
}

/** The body of a 503 names the part of what was asked that only the cold tier has. */
function isRefusal({ kind, path, text }: Asking, began: Began): boolean {
  const { success, status, message } = JSON.parse(text) as { success: boolean; status: number; message: string };
  if (success || status !== 503) return false;
  if (kind === 'old id') return message === `storage cannot answer now for message ${path.slice(-66)}`;
  const [, from = '', to = ''] = /^storage cannot answer now for ingestion times (\S+) to (\S+)$/.exec(message) ?? [];
  const endMs = Number(new URLSearchParams(path.slice(path.indexOf('?'))).get('end') ?? Number.POSITIVE_INFINITY);
  const [least, most] = [Math.min(endMs, began.floorMs), Math.min(endMs, began.coldMs)];
  return Date.parse(from) === 0 && Date.parse(to) >= least && Date.parse(to) <= most;
}

/** A list is the beginning of what the history has of its range; only a status may have moved on since. */
function isWhole({ kind, path, text }: Asking, history: History): boolean {
  const query = new URLSearchParams(path.slice(path.indexOf('?')));
  const [startMs, end] = [Number(query.get('start') ?? 0), query.get('end')];
  const asked = { startMs, ...(end === null ? {} : { endMs: Number(end) }) };
  const isEnded = (shown: number, all: number) => end === null || shown === Math.min(all, 1_000);
  const within = (records: readonly { ingestionMs: number; orphaned: boolean }[]) =>
    listed(records).filter(({ ingestionMs }) => ingestionMs >= startMs && ingestionMs <= Number(end ?? Infinity))
      .length;
  if (kind.endsWith('results')) {
    const limit = [...resultsIn(text).values()].flat().length;
    return text === expectedResults(history, { ...asked, limit }) && isEnded(limit, within(history.results));
  }
  const limit = messagesIn(text).size;
  const moved = (body: string) => body.replace(/"status":[01],/g, '"status":1,');
  return (
    moved(text) === moved(expectedMessages(history, { ...asked, limit })) && isEnded(limit, within(history.messages))
  );
}
