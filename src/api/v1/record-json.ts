import { bytesToHex, type Hex } from '../../core/hex.js';
import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { STATUS_CODES } from '../../model/status.js';
import { messageJson } from '../../protocol/message-json.js';
import { formatRfc3339, MAX_RFC3339_MS } from '../../protocol/rfc3339.js';

/** `{ verifierResult, metadata }` as existing clients read it (`src/api/README.md`). */
export function verifierResultJson(record: StoredVerifierResult): string {
  // a verifier may claim any time; one that RFC 3339 cannot say must not take the whole page with it
  const attested = formatRfc3339(Math.min(record.attestationMs, MAX_RFC3339_MS));
  return (
    `{"verifierResult":{"message_id":"${record.messageId}","message":${messageJson(record.encodedMessage)}` +
    `,"message_ccv_addresses":${addressesJson(record.messageCCVAddresses)}` +
    `,"message_executor_address":${addressJson(record.messageExecutorAddress)}` +
    `,"ccv_data":${bytesJson(record.ccvData)},"timestamp":"${attested}"` +
    `,"verifier_source_address":${addressJson(record.verifierSourceAddress)}` +
    `,"verifier_dest_address":${addressJson(record.verifierDestAddress)}}` +
    `,"metadata":{"verifierName":${JSON.stringify(record.verifierName)},"attestationTimestamp":"${attested}"` +
    `,"ingestionTimestamp":"${formatRfc3339(record.ingestionMs)}"}}`
  );
}

/** `{ message, metadata, messageCCVAddresses }`; the last is absent when empty. */
export function messageEntryJson(record: StoredMessage): string {
  const addresses = record.messageCCVAddresses;
  return (
    `{"message":${messageJson(record.encodedMessage)}` +
    `,"metadata":{"status":${STATUS_CODES[record.status]}` +
    `,"ingestionTimestamp":"${formatRfc3339(record.ingestionMs)}"}` +
    `${addresses.length === 0 ? '' : `,"messageCCVAddresses":${addressesJson(addresses)}`}}`
  );
}

/** An empty address is `""`. */
function addressJson(address: Hex): string {
  return address === '0x' ? '""' : `"${address}"`;
}

function addressesJson(addresses: readonly Hex[]): string {
  return `[${addresses.map(addressJson).join(',')}]`;
}

/** Empty bytes are `null`. */
function bytesJson(bytes: Uint8Array): string {
  return bytes.length === 0 ? 'null' : `"${bytesToHex(bytes)}"`;
}
