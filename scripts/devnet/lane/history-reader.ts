import { createHash } from 'node:crypto';
import type { Common } from '../../../src/core/common.js';
import { toError } from '../../../src/core/errors.js';
import type { Hex } from '../../../src/core/hex.js';
import { withDeadline } from '../anvil/deadline.js';

/** A reader that keeps asking about the past, and remembers the answers. */
export interface HistoryReader {
  /** Takes up a message that is complete. `ingestionMs`: of the message, unix ms. */
  know(messageId: Hex, ingestionMs: number): void;
  /** Answers that differ from an earlier one: anything but 0 is a fault of the indexer. */
  changedCount(): number;
  /** Stops asking and resolves when nothing runs any more. Idempotent. */
  close(): Promise<void>;
}

/** Dependencies of a history reader. Of the indexer it knows the API alone. */
export interface HistoryReaderOptions {
  readonly common: Common;
  readonly apiUrl: string;
  /** Between two rounds, of a lookup and a list each. Default 250 ms. */
  readonly pollIntervalMs?: number;
}

const DEFAULT_POLL_INTERVAL_MS = 250;
const TIMEOUT_MS = 10_000;
/** The youngest that is asked for: until then the whole of a message may not be known to every reader. */
const MIN_AGE_MS = 3_000;
/** Lists are asked for in whole spans, so that the same ones come up again. */
const SPAN_MS = 5_000;
/** Messages remembered; the oldest is forgotten first. */
const MAX_KNOWN = 20_000;

interface Known {
  readonly messageId: Hex;
  readonly ingestionMs: number;
}

/**
 * Asks as an explorer does, for messages and times of every age, so that every tier has something to answer. It holds
 * the indexer to two promises: the past is closed, and an answer is the same bytes whichever tier gives it. So the
 * verifications of a complete message, and those of a span of time that is over, never change. A question that the
 * indexer cannot answer just then is asked again later.
 */
class ApiHistoryReader implements HistoryReader {
  readonly #options: HistoryReaderOptions;
  readonly #abort = new AbortController();
  readonly #known: Known[] = [];
  readonly #ids = new Set<Hex>();
  /** A digest of the first answer, by path. */
  readonly #said = new Map<string, string>();
  readonly #polling: Promise<void>;
  #changed = 0;
  /** The highest ingestion time that was told. */
  #latestMs = 0;

  constructor(options: HistoryReaderOptions) {
    this.#options = options;
    this.#polling = this.#poll();
  }

  know(messageId: Hex, ingestionMs: number): void {
    this.#latestMs = Math.max(this.#latestMs, ingestionMs);
    if (this.#ids.has(messageId)) return;
    this.#ids.add(messageId);
    this.#known.push({ messageId, ingestionMs });
    // beyond the limit the youngest are dropped: the oldest are of interest
    if (this.#known.length > MAX_KNOWN) this.#known.pop();
  }

  changedCount(): number {
    return this.#changed;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#polling;
  }

  async #poll(): Promise<void> {
    const { common, pollIntervalMs = DEFAULT_POLL_INTERVAL_MS } = this.#options;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        const known = this.#choose();
        if (known) {
          await this.#ask(`/v1/verifierresults/${known.messageId}`);
          const startMs = Math.floor(known.ingestionMs / SPAN_MS) * SPAN_MS;
          const endMs = startMs + SPAN_MS - 1;
          // once a later time was seen, nothing appears at an earlier one
          if (endMs < this.#latestMs) await this.#ask(`/v1/verifierresults?start=${startMs}&end=${endMs}&limit=1000`);
        }
      } catch (thrown) {
        if (!signal.aborted) common.log.debug({ err: toError(thrown) }, 'a question about the past had no answer');
      }
      await common.clock.sleep(pollIntervalMs, signal).catch(() => 'closing');
    }
  }

  /** One of any age, each order of magnitude of age as often as the next. */
  #choose(): Known | null {
    const { clock, random } = this.#options.common;
    const nowMs = clock.nowMs();
    const oldest = this.#known.reduce((least, { ingestionMs }) => Math.min(least, ingestionMs), nowMs);
    if (nowMs - oldest < MIN_AGE_MS) return null;
    const ageMs = MIN_AGE_MS * ((nowMs - oldest) / MIN_AGE_MS) ** random();
    let nearest: Known | null = null;
    for (const each of this.#known)
      if (
        nowMs - each.ingestionMs >= MIN_AGE_MS &&
        (nearest === null || Math.abs(nowMs - each.ingestionMs - ageMs) < Math.abs(nowMs - nearest.ingestionMs - ageMs))
      )
        nearest = each;
    return nearest;
  }

  async #ask(path: string): Promise<void> {
    const { apiUrl, common } = this.#options;
    const { status, text } = await withDeadline(TIMEOUT_MS, this.#abort.signal, async (signal) => {
      const response = await fetch(`${apiUrl}${path}`, { signal });
      return { status: response.status, text: await response.text() };
    });
    // it knows that it cannot tell the whole truth, and says so
    if (status === 503) return;
    const digest = createHash('sha256').update(`${status} ${text}`).digest('base64');
    const before = this.#said.get(path);
    if (before === undefined) {
      if (status === 200) this.#remember(path, digest);
      else this.#report(path, status);
    } else if (before !== digest) this.#report(path, status);
    else common.log.trace({ path }, 'the past is what it was');
  }

  #remember(path: string, digest: string): void {
    this.#said.set(path, digest);
    if (this.#said.size <= MAX_KNOWN) return;
    for (const oldest of this.#said.keys()) {
      this.#said.delete(oldest);
      return;
    }
  }

  #report(path: string, status: number): void {
    this.#changed += 1;
    this.#options.common.log.error({ path, status }, 'the indexer says something else about the past than before');
  }
}

/** Starts asking. */
export function createHistoryReader(options: HistoryReaderOptions): HistoryReader {
  return new ApiHistoryReader(options);
}
