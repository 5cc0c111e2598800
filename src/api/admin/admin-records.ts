import { bytesToHex, type Hex } from '../../core/hex.js';
import type {
  StoredExecution,
  StoredMessage,
  StoredQuarantineEntry,
  StoredVerifierResult,
} from '../../model/records.js';
import { CCVDataNotFoundError, CoverageGapError, MessageNotFoundError } from '../../model/storage-errors.js';
import { stringifyExactJson } from '../../protocol/exact-json.js';
import { messageJson } from '../../protocol/message-json.js';
import type { Storage } from '../../storage/storage.js';

/**
 * Everything known about one message as JSON text, orphaned or not, with its verifications in short and its executions.
 * @throws MessageNotFoundError when neither the message nor a verification of it is stored.
 */
export async function describeMessage(
  storage: Pick<Storage, 'getMessage' | 'getCCVData' | 'getExecutions'>,
  messageId: Hex,
): Promise<string> {
  const [message, results, executions] = await Promise.all([
    storage.getMessage(messageId).catch(onlyWhenMissing(null)),
    storage.getCCVData(messageId, { maxBytes: MAX_SHOWN_BYTES }).catch(onlyWhenMissing([])),
    executionsFacts(storage, messageId),
  ]);
  const encoded = message?.encodedMessage ?? results[0]?.encodedMessage;
  if (!encoded) throw new MessageNotFoundError(messageId);
  const facts = stringifyExactJson({
    messageId,
    stored: message === null ? null : messageFacts(message),
    verifierResults: await resultsFacts(storage, results),
    executions,
  });
  return `${facts.slice(0, -1)},"message":${messageJson(encoded)}}`;
}

/** Entries read at once: each may have a megabyte. */
const ENTRIES_AT_ONCE = 8;
/** A page with bytes ends with the entry that reaches so many. */
const MAX_SHOWN_BYTES = 4 * 1024 * 1024;

/**
 * Quarantine entries with the number of their bytes; or with the bytes as hex, then at most `MAX_SHOWN_BYTES` of them.
 */
export async function describeQuarantine(
  storage: Pick<Storage, 'queryQuarantine'>,
  page: { readonly afterPosition: bigint; readonly limit: number },
  showsBytes: boolean,
): Promise<Record<string, unknown>[]> {
  const shown: Record<string, unknown>[] = [];
  let { afterPosition } = page;
  for (let bytes = 0; shown.length < page.limit && bytes < MAX_SHOWN_BYTES; ) {
    const limit = Math.min(ENTRIES_AT_ONCE, page.limit - shown.length);
    const entries = await storage.queryQuarantine({ afterPosition, limit });
    for (const entry of entries) {
      if (bytes >= MAX_SHOWN_BYTES) break;
      shown.push(quarantineFacts(entry, showsBytes));
      bytes += showsBytes ? entry.raw.length : 0;
    }
    if (entries.length < limit) break;
    afterPosition = entries.at(-1)?.position ?? afterPosition;
  }
  return shown;
}

function quarantineFacts({ raw, ...facts }: StoredQuarantineEntry, showsBytes: boolean): Record<string, unknown> {
  return { ...facts, rawBytes: raw.length, ...(showsBytes && { raw: bytesToHex(raw) }) };
}

function messageFacts(message: StoredMessage): Record<string, unknown> {
  const { status, orphaned, ingestionMs, firstMs, position, origin, messageCCVAddresses, messageExecutorAddress } =
    message;
  return {
    status,
    orphaned,
    ingestionMs,
    firstMs,
    position,
    origin,
    messageCCVAddresses,
    messageExecutorAddress,
    encodedMessage: bytesToHex(message.encodedMessage),
  };
}

/** A memory alone cannot tell: the reason stands in their place. */
async function executionsFacts(storage: Pick<Storage, 'getExecutions'>, messageId: Hex): Promise<unknown> {
  try {
    return (await storage.getExecutions(messageId)).map(executionFacts);
  } catch (thrown) {
    if (thrown instanceof CoverageGapError) return { unavailable: thrown.message };
    throw thrown;
  }
}

function executionFacts({ state, offRamp, place, orphaned, ingestionMs, position, returnData }: StoredExecution) {
  return { state, offRamp, place, orphaned, ingestionMs, position, returnData: bytesToHex(returnData) };
}

/** Large ones are read one after the other. */
async function resultsFacts(storage: Pick<Storage, 'getCCVData'>, results: readonly StoredVerifierResult[]) {
  const facts: Record<string, unknown>[] = [];
  for (const result of results) {
    const [whole = result] = result.outline ? await storage.getCCVData(result.messageId, result) : [];
    facts.push(resultFacts(whole));
  }
  return facts;
}

function resultFacts(result: StoredVerifierResult): Record<string, unknown> {
  return {
    verifierName: result.verifierName,
    verifierSourceAddress: result.verifierSourceAddress,
    verifierDestAddress: result.verifierDestAddress,
    attestationMs: result.attestationMs,
    ingestionMs: result.ingestionMs,
    position: result.position,
    orphaned: result.orphaned,
    ccvDataBytes: result.ccvData.length,
  };
}

/** Not found is an answer here; every other failure stays one. */
function onlyWhenMissing<T>(otherwise: T): (thrown: unknown) => T {
  return (thrown) => {
    if (thrown instanceof MessageNotFoundError || thrown instanceof CCVDataNotFoundError) return otherwise;
    throw thrown;
  };
}
