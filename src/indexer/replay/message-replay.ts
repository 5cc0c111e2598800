import type { Common } from '../../core/common.js';
import type { Hex } from '../../core/hex.js';
import type { RateLimiter } from '../../core/rate-limiter.js';
import type { StatusChange, WriteBatch } from '../../model/batch.js';
import type { NewMessage, QuarantineEntry, StoredMessage, VerifierResult } from '../../model/records.js';
import { CCVDataNotFoundError, MessageNotFoundError } from '../../model/storage-errors.js';
import type { Storage } from '../../storage/storage.js';
import { canonicalAddress } from '../../verifiers/address.js';
import type { VerifierRegistry } from '../../verifiers/registry.js';
import { VerifierResultRejectedError } from '../../verifiers/verifier-errors.js';
import type { VerifierReader } from '../../verifiers/verifier-reader.js';
import { quarantineEntry } from '../quarantine-entry.js';
import { patiently } from './patience.js';
import type { ReplaySource } from './replay-source.js';

/** The records that a source of messages has of some ids; of an id that it does not know, nothing. */
export type MessageLookup = (
  messageIds: readonly Hex[],
  signal: AbortSignal,
) => Promise<Pick<WriteBatch, 'messages' | 'verifierResults' | 'quarantine'>>;

/** The parts of the replay of messages. */
export interface MessageReplayOptions {
  readonly ids: readonly Hex[];
  /** So many are asked for at once: one request a verifier. */
  readonly batch: number;
  readonly registry: VerifierRegistry;
  /** Of each verifier. */
  readonly limiterOf: (reader: VerifierReader) => RateLimiter;
  /** Asked for messages that neither the storage nor a verifier knows. */
  readonly lookups: readonly MessageLookup[];
  readonly storage: Pick<Storage, 'getMessage' | 'getCCVData'>;
  readonly common: Common;
}

/** The records that the sources gave for one message. */
interface Found {
  readonly messageId: Hex;
  readonly stored: StoredMessage | null;
  readonly results: readonly VerifierResult[];
  readonly quarantine: readonly QuarantineEntry[];
}

/**
 * Asks the verifiers of each message again, also those that have answered. A message that is not stored is taken from
 * a verifier or an aggregator that knows it: the result of either holds the message.
 */
export function createMessageReplay(options: MessageReplayOptions): ReplaySource {
  const { ids, batch } = options;
  return {
    unit: 'messages',
    total: ids.length,
    async *steps(cursor, signal) {
      for (let next = cursor === null ? 0 : Number(cursor); next < ids.length; ) {
        const some = ids.slice(next, next + batch);
        next += some.length;
        yield { ...(await readSome(options, some, signal)), cursor: String(next), read: some.length };
      }
    },
  };
}

async function readSome(options: MessageReplayOptions, ids: readonly Hex[], signal: AbortSignal) {
  const { registry, limiterOf, lookups, storage, common } = options;
  const stored = await Promise.all(ids.map((id) => patiently(common, signal, () => messageOf(storage, id))));
  const asked = stored.map((message) => readersOf(registry, message));
  for (const reader of new Set(asked.flat())) await limiterOf(reader).take(signal);
  const found = await Promise.all(
    ids.map(async (messageId, index): Promise<Found> => {
      const answers = await Promise.all((asked[index] ?? []).map((reader) => ask(options, reader, messageId, signal)));
      return {
        messageId,
        stored: stored[index] ?? null,
        results: answers.flatMap((answer) => (answer !== null && 'ccvData' in answer ? [answer] : [])),
        quarantine: answers.flatMap((answer) => (answer !== null && 'raw' in answer ? [answer] : [])),
      };
    }),
  );
  const missing = found
    .filter(({ stored: has, results }) => !has && results.length === 0)
    .map((each) => each.messageId);
  const messages: NewMessage[] = found.flatMap(({ stored: has, results: [first] }) =>
    !has && first ? [{ ...bodyOf(first), origin: null }] : [],
  );
  const verifierResults = found.flatMap(({ results }) => results);
  const quarantine = found.flatMap((each) => each.quarantine);
  const statuses: StatusChange[] = [];
  for (const each of found)
    if (each.results.length > 0 && (await isComplete(options, each)))
      statuses.push({ messageId: each.messageId, status: 'success' });
  const unknown = new Set(missing);
  for (const lookup of unknown.size > 0 ? lookups : []) {
    const records = await patiently(common, signal, () => lookup([...unknown], signal));
    for (const message of records.messages ?? []) if (unknown.delete(message.messageId)) messages.push(message);
    verifierResults.push(...(records.verifierResults ?? []).filter(({ messageId }) => missing.includes(messageId)));
    quarantine.push(...(records.quarantine ?? []));
  }
  const isEmpty = messages.length + verifierResults.length + quarantine.length === 0;
  return { batch: isEmpty ? null : { messages, verifierResults, quarantine, statuses }, unknown: [...unknown] };
}

/** The verifiers of a message; all, where it is not stored. */
function readersOf(registry: VerifierRegistry, stored: StoredMessage | null): readonly VerifierReader[] {
  if (stored === null) return registry.readers;
  return [...new Set(stored.messageCCVAddresses.flatMap((address) => registry.readersFor(address)))];
}

/** Null: the verifier does not know the message. */
async function ask(
  { common }: MessageReplayOptions,
  reader: VerifierReader,
  messageId: Hex,
  signal: AbortSignal,
): Promise<VerifierResult | QuarantineEntry | null> {
  try {
    return await patiently(common, signal, () => reader.read(messageId, signal));
  } catch (thrown) {
    if (thrown instanceof VerifierResultRejectedError) return quarantineEntry(thrown);
    throw thrown;
  }
}

/** Whether every CCV that a verifier speaks for has answered, now or before. */
async function isComplete(options: MessageReplayOptions, { messageId, stored, results }: Found): Promise<boolean> {
  const { registry, storage } = options;
  const ccvs = (stored ?? results[0])?.messageCCVAddresses ?? [];
  const wanted = ccvs.filter((address) => registry.readersFor(address).length > 0).map(canonicalAddress);
  const answered = new Set(results.map(({ verifierSourceAddress }) => canonicalAddress(verifierSourceAddress)));
  if (wanted.every((address) => answered.has(address))) return true;
  for (const { verifierSourceAddress } of stored ? await resultsOf(storage, messageId) : [])
    answered.add(canonicalAddress(verifierSourceAddress));
  return wanted.every((address) => answered.has(address));
}

async function messageOf(storage: Pick<Storage, 'getMessage'>, messageId: Hex): Promise<StoredMessage | null> {
  try {
    return await storage.getMessage(messageId);
  } catch (thrown) {
    if (thrown instanceof MessageNotFoundError) return null;
    throw thrown;
  }
}

async function resultsOf(storage: Pick<Storage, 'getCCVData'>, messageId: Hex) {
  try {
    return await storage.getCCVData(messageId);
  } catch (thrown) {
    if (thrown instanceof CCVDataNotFoundError) return [];
    throw thrown;
  }
}

function bodyOf(result: VerifierResult): Omit<NewMessage, 'origin'> {
  const { messageId, encodedMessage, messageCCVAddresses, messageExecutorAddress } = result;
  return { messageId, encodedMessage, messageCCVAddresses, messageExecutorAddress };
}
