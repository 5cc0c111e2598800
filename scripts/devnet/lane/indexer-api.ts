import type { Common } from '../../../src/core/common.js';
import { IndexerError, toError } from '../../../src/core/errors.js';
import { type Hex, hexToBytes, isHex } from '../../../src/core/hex.js';
import { parseExactJson } from '../../../src/protocol/exact-json.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import type { Message } from '../../../src/protocol/message.js';
import { encodeMessage } from '../../../src/protocol/message-codec.js';
import { messageFromJson } from '../../../src/protocol/message-json.js';
import { parseRfc3339 } from '../../../src/protocol/rfc3339.js';
import { withDeadline } from '../anvil/deadline.js';

/** No indexer gave an answer: each was unreachable, or said something other than 200 or 404. */
class IndexerApiUnavailableError extends IndexerError {
  constructor(path: string, tried: readonly string[], cause: unknown) {
    super('INDEXER_API_UNAVAILABLE', `no indexer answered ${path}: ${tried.join('; ')}`, true, { cause });
  }
}

/** An answer is not as the API promises (`src/api/README.md`). */
export class IndexerApiAnswerError extends IndexerError {
  constructor(what: string, cause?: unknown) {
    super('INDEXER_API_ANSWER', `the indexer's answer is wrong: ${what}`, false, { cause });
  }
}

/** A message of the list, its bytes rebuilt from the JSON and checked against its id. */
export interface ListedMessage {
  readonly messageId: Hex;
  readonly message: Message;
  readonly encodedMessage: Uint8Array;
  /** Lower-case, in the order given; empty when the API does not know them. */
  readonly ccvAddresses: readonly Hex[];
  readonly ingestionMs: number;
}

/** One verifier's result for a message. */
export interface ListedVerification {
  readonly messageCCVAddresses: readonly Hex[];
  readonly ccvData: Hex;
  readonly sourceAddress: Hex;
  readonly destAddress: Hex;
}

/** The two questions that an executor asks. */
export interface IndexerApi {
  /**
   * One page in order of ingestion. Entries that cannot be used come as errors, so that they do not hide the others.
   * @throws IndexerApiUnavailableError, IndexerApiAnswerError
   */
  messages(page: MessagesPage, signal: AbortSignal): Promise<readonly (ListedMessage | IndexerApiAnswerError)[]>;
  /**
   * The verifications of one message; empty while there are none.
   * @throws IndexerApiUnavailableError, IndexerApiAnswerError
   */
  verifications(messageId: Hex, signal: AbortSignal): Promise<readonly ListedVerification[]>;
}

/** Which messages to list. */
export interface MessagesPage {
  /** Inclusive, unix ms. */
  readonly startMs: number;
  readonly limit: number;
  readonly offset: number;
}

/** Dependencies of the client. */
export interface IndexerApiOptions {
  readonly common: Common;
  /** Base URLs of indexers, in the order in which they are tried. */
  readonly urls: readonly string[];
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Asks indexers as existing executors do: stays with one as long as it says 200 or 404, goes to the next on anything
 * else. 64-bit numbers are read exactly.
 */
export function createIndexerApi(options: IndexerApiOptions): IndexerApi {
  const { common, urls, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  let current = 0;

  /** The parsed body of a 200; null for a 404. */
  async function ask(path: string, signal: AbortSignal): Promise<unknown> {
    const tried: string[] = [];
    let cause: unknown;
    for (let attempt = 0; attempt < urls.length; attempt += 1) {
      const url = urls[current] ?? '';
      try {
        const answer = await withDeadline(timeoutMs, signal, (limit) => askOne(`${url}${path}`, limit));
        if (answer.status === 200) return parseExactJson(answer.text);
        if (answer.status === 404) return null;
        tried.push(`${url} said ${answer.status}`);
      } catch (thrown) {
        if (signal.aborted) throw thrown;
        cause = thrown;
        tried.push(`${url}: ${toError(thrown).message}`);
      }
      current = (current + 1) % urls.length;
      common.log.debug({ url, next: urls[current], path }, 'indexer gave no answer');
    }
    throw new IndexerApiUnavailableError(path, tried, cause);
  }

  return {
    async messages({ startMs, limit, offset }, signal) {
      const body = await ask(`/v1/messages?start=${startMs}&limit=${limit}&offset=${offset}`, signal);
      if (body === null) throw new IndexerApiAnswerError('404 for a list');
      return Object.entries(field(body, 'messages', isObject, 'an object')).map(([id, entry]) => {
        try {
          return readListedMessage(id, entry);
        } catch (cause) {
          return new IndexerApiAnswerError(`message ${id}: ${toError(cause).message}`, cause);
        }
      });
    },
    async verifications(messageId, signal) {
      const body = await ask(`/v1/verifierresults/${messageId}`, signal);
      if (body === null) return [];
      return field(body, 'results', Array.isArray, 'an array').map(readVerification);
    },
  };
}

async function askOne(url: string, signal: AbortSignal): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { signal });
  return { status: response.status, text: await response.text() };
}

function readListedMessage(id: string, entry: unknown): ListedMessage {
  if (!isHex(id)) throw new IndexerApiAnswerError('the id is not hex');
  const message = messageFromJson(field(entry, 'message', isObject, 'an object'));
  const encodedMessage = encodeMessage(message);
  const computed = computeMessageId(encodedMessage);
  if (computed !== id) throw new IndexerApiAnswerError(`the message given under this id has the id ${computed}`);
  const { messageCCVAddresses = [] } = entry as { messageCCVAddresses?: unknown };
  const metadata = field(entry, 'metadata', isObject, 'an object');
  const ingestionMs = parseRfc3339(field(metadata, 'ingestionTimestamp', isString, 'a string'));
  if (ingestionMs === null) throw new IndexerApiAnswerError('ingestionTimestamp is not RFC 3339');
  return { messageId: id, message, encodedMessage, ccvAddresses: readAddresses(messageCCVAddresses), ingestionMs };
}

function readVerification(entry: unknown): ListedVerification {
  const result = field(entry, 'verifierResult', isObject, 'an object');
  return {
    messageCCVAddresses: readAddresses(field(result, 'message_ccv_addresses', Array.isArray, 'an array')),
    ccvData: readHex(field(result, 'ccv_data', isString, 'a string')),
    sourceAddress: readHex(field(result, 'verifier_source_address', isString, 'a string')),
    destAddress: readHex(field(result, 'verifier_dest_address', isString, 'a string')),
  };
}

function readAddresses(value: unknown): Hex[] {
  if (!Array.isArray(value)) throw new IndexerApiAnswerError('the CCV addresses are not an array');
  return value.map((address) => readHex(address));
}

function readHex(value: unknown): Hex {
  if (!isHex(value)) throw new IndexerApiAnswerError(`expected hex, found ${typeof value}`);
  return `0x${Buffer.from(hexToBytes(value)).toString('hex')}`;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function field<T>(of: unknown, name: string, is: (value: unknown) => value is T, expected: string): T {
  const value = isObject(of) ? (of as Record<string, unknown>)[name] : undefined;
  if (!is(value)) throw new IndexerApiAnswerError(`${name} is not ${expected}`);
  return value;
}
