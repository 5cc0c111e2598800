import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../../src/core/random.js';
import { get, type ListedMessage, type ListedResult, messagesIn, resultsIn, resultsOfIdIn } from './http.js';

/** Clients that ask a query API all the time and hold every answer against those before it. */
export interface TruthClients {
  /** Answers so far: by endpoint, then status. */
  counts(): Readonly<Record<string, Readonly<Record<number, number>>>>;
  /** Stops asking, and resolves to everything that was wrong. */
  stop(): Promise<readonly string[]>;
}

const PAUSE_MS = 40;
const MOST_WRONGS = 20;

/**
 * What must hold of a service whose chains have no reorgs, whatever happens to its storage: an answer is a 503, or it is
 * whole. Whole means, of what answers completed before the request began have shown:
 * - a list begins with everything of its range that was shown, in the same order, and a range that ends at or before a
 *   time that was shown holds nothing else;
 * - a status never goes back;
 * - the results of a message never become fewer, and one that was shown as a success has them all.
 */
class Truth {
  /** In list order. */
  messages: ReadonlyMap<string, ListedMessage> = new Map();
  results: ReadonlyMap<string, readonly ListedResult[]> = new Map();
  readonly resultCounts = new Map<string, number>();
  readonly wrongs: string[] = [];

  /** Results that a message must have by now. */
  leastResults(messageId: string): number {
    const message = this.messages.get(messageId);
    const success = message?.metadata.status === 1 ? (message.messageCCVAddresses?.length ?? 0) : 0;
    return Math.max(success, this.resultCounts.get(messageId) ?? 0, this.results.get(messageId)?.length ?? 0);
  }

  wrong(what: string): void {
    if (this.wrongs.length < MOST_WRONGS) this.wrongs.push(what);
  }
}

const timeOf = ({ metadata }: ListedMessage) => Date.parse(metadata.ingestionTimestamp);

/** Starts one client an endpoint, and one for ranges of time. */
export function startTruthClients(apiUrl: string, random: Random): TruthClients {
  const truth = new Truth();
  const counts: Record<string, Record<number, number>> = {};
  let stopping = false;

  /** The text of a 200; null for any other answer that may be. */
  async function ask(endpoint: string, path: string, mayBeUnknown = () => false): Promise<string | null> {
    const { status, text } = await get(`${apiUrl}${path}`);
    counts[endpoint] ??= {};
    counts[endpoint][status] = (counts[endpoint][status] ?? 0) + 1;
    if (status === 200) return text;
    if (status !== 503 && !(status === 404 && mayBeUnknown())) truth.wrong(`${path} answered ${status}: ${text}`);
    return null;
  }

  async function askMessages(): Promise<void> {
    const before = truth.messages;
    const text = await ask('messages', '/v1/messages?limit=1000');
    if (text === null) return;
    const shown = messagesIn(text);
    expectStart('/v1/messages', [...before.keys()], [...shown.keys()]);
    for (const [messageId, { metadata }] of before)
      if (metadata.status === 1 && shown.get(messageId)?.metadata.status !== 1)
        truth.wrong(`/v1/messages took back that ${messageId} is a success`);
    truth.messages = shown;
  }

  async function askResults(): Promise<void> {
    const before = truth.results;
    const successes = [...truth.messages.keys()].map(
      (messageId) => [messageId, truth.leastResults(messageId)] as const,
    );
    const text = await ask('verifierresults', '/v1/verifierresults?limit=1000');
    if (text === null) return;
    const shown = resultsIn(text);
    expectStart('/v1/verifierresults', [...before.keys()], [...shown.keys()]);
    for (const [messageId, results] of before)
      expectStart(`results of ${messageId}`, results.map(source), (shown.get(messageId) ?? []).map(source));
    for (const [messageId, least] of successes)
      if ((shown.get(messageId)?.length ?? 0) < least)
        truth.wrong(`/v1/verifierresults has ${shown.get(messageId)?.length} of ${least} results of ${messageId}`);
    truth.results = shown;
  }

  async function askOne(): Promise<void> {
    const messageId = pick([...truth.messages.keys()]);
    if (messageId === undefined) return;
    const least = truth.leastResults(messageId);
    const text = await ask('verifierresults/{id}', `/v1/verifierresults/${messageId}`, () => least === 0);
    if (text === null) return;
    const count = resultsOfIdIn(text).length;
    if (count < least) truth.wrong(`${messageId} has ${count} results after ${least}`);
    truth.resultCounts.set(messageId, Math.max(count, truth.resultCounts.get(messageId) ?? 0));
  }

  async function askRange(): Promise<void> {
    const known = [...truth.messages];
    const [one, other] = [pick(known), pick(known)];
    if (!one || !other) return;
    const [startMs, endMs] = [timeOf(one[1]), timeOf(other[1])].sort((a, b) => a - b) as [number, number];
    const text = await ask('messages?start&end', `/v1/messages?start=${startMs}&end=${endMs}&limit=1000`);
    if (text === null) return;
    const expected = known.filter(([, message]) => timeOf(message) >= startMs && timeOf(message) <= endMs);
    const shown = [...messagesIn(text).keys()];
    if (shown.join() !== expected.map(([messageId]) => messageId).join())
      truth.wrong(
        `/v1/messages from ${startMs} to ${endMs} has ${shown.length} messages instead of ${expected.length}`,
      );
  }

  function expectStart(what: string, before: readonly string[], after: readonly string[]): void {
    const differs = before.findIndex((entry, index) => after[index] !== entry);
    if (differs >= 0)
      truth.wrong(`${what}: ${before.length} entries were shown, then ${after.length}, different at ${differs}`);
  }

  function pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(random() * from.length)];
  }

  async function loop(askOnce: () => Promise<void>): Promise<void> {
    while (!stopping) {
      await askOnce().catch((thrown: Error) => truth.wrong(`no answer: ${thrown.message}`));
      await delay(PAUSE_MS);
    }
  }

  const loops = [askMessages, askResults, askOne, askRange].map(loop);
  return {
    counts: () => structuredClone(counts),
    async stop() {
      stopping = true;
      await Promise.all(loops);
      return truth.wrongs;
    },
  };
}

const source = ({ verifierResult }: ListedResult) => verifierResult.verifier_source_address;
