import { bytesToHex, type Hex } from '../core/hex.js';
import { stringifyExactJson } from '../protocol/exact-json.js';
import { messageJson } from '../protocol/message-json.js';
import { CCVDataNotFoundError, MessageNotFoundError } from '../storage/errors.js';
import type { StoredMessage, StoredQuarantineEntry, StoredVerifierResult } from '../storage/records.js';
import type { Storage } from '../storage/storage.js';

/**
 * Everything known about one message as JSON text, orphaned or not, with its verifications in short.
 * @throws MessageNotFoundError when neither the message nor a verification of it is stored.
 */
export async function describeMessage(
  storage: Pick<Storage, 'getMessage' | 'getCCVData'>,
  messageId: Hex,
): Promise<string> {
  const [message, results] = await Promise.all([
    storage.getMessage(messageId).catch(onlyWhenMissing(null)),
    storage.getCCVData(messageId).catch(onlyWhenMissing([])),
  ]);
  const encoded = message?.encodedMessage ?? results[0]?.encodedMessage;
  if (!encoded) throw new MessageNotFoundError(messageId);
  const facts = stringifyExactJson({
    messageId,
    stored: message === null ? null : messageFacts(message),
    verifierResults: results.map(resultFacts),
  });
  return `${facts.slice(0, -1)},"message":${messageJson(encoded)}}`;
}

/** A quarantine entry with its bytes as hex. */
export function quarantineFacts(entry: StoredQuarantineEntry): Record<string, unknown> {
  return { ...entry, raw: bytesToHex(entry.raw) };
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
