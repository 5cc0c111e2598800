import { createHash } from 'node:crypto';
import type { Hex } from '../core/hex.js';
import type { WriteBatch } from '../model/batch.js';
import type { NewMessage, QuarantineEntry, VerifierResult } from '../model/records.js';
import { canonicalAddress } from '../verifiers/address.js';
import { announcedMessage, checkVerifierResult } from '../verifiers/check-result.js';
import type { Claim } from '../verifiers/claim.js';
import { boundedEvidence } from '../verifiers/evidence.js';
import type { ReadClaim } from './discovery-client.js';
import type { Page, PlacedEntry } from './page.js';
import { discoverySourceId } from './source-ids.js';

/** The expectations against which entries are checked. */
export interface EntryContext {
  /** The configured name of the aggregator. */
  readonly aggregator: string;
  readonly readClaim: ReadClaim;
  /** The name of the configured verifier that speaks for a CCV; null: none does. */
  verifierNameOf(ccvAddress: Hex): string | null;
  /** See `CheckContext.maxCCVDataBytes`. */
  readonly maxCCVDataBytes?: number;
  readonly nowMs: number;
}

/** The records that entries make, each message once. */
export interface DiscoveredRecords {
  readonly messages: readonly NewMessage[];
  readonly verifierResults: readonly VerifierResult[];
  readonly quarantine: readonly QuarantineEntry[];
  /** Attestation time of each of `messages`, unix ms as the aggregator gave it. */
  readonly attestedMs: readonly number[];
}

/** The reason why an entry stands in quarantine that no check of a verifier result names. */
type EntryReason = 'empty' | 'sequence';

/**
 * Reads entries, whatever their sequences: each is a message, and its verifier result unless that only announces the
 * message. A failed check of the result leaves the message standing. Of a rejected entry the bytes are kept under its
 * sequence. Without a cursor the records are a `WriteBatch` of a range of sequences.
 */
export function readEntries(
  { placed, misplaced }: Pick<Page, 'placed' | 'misplaced'>,
  context: EntryContext,
): DiscoveredRecords {
  const messages = new Map<Hex, NewMessage>();
  const attestedMs: number[] = [];
  const verifierResults: VerifierResult[] = [];
  const quarantine = misplaced.map((raw) =>
    rejected(context, 'none', raw, {
      reason: 'sequence',
      messageId: null,
      detail: 'sequence: missing or not asked for',
    }),
  );
  for (const entry of placed) {
    const reject = (facts: Rejected) => quarantine.push(rejected(context, String(entry.sequence), entry.raw, facts));
    const read = context.readClaim(entry.raw);
    if (read.kind === 'rejected') reject(read);
    else if (read.kind === 'empty') reject({ reason: 'empty', messageId: null, detail: 'entry: says nothing' });
    else {
      const announced = announcedMessage(read.claim);
      if (announced.kind === 'rejected') {
        reject(announced);
        continue;
      }
      const { message } = announced;
      if (!messages.has(message.messageId)) attestedMs.push(read.claim.attestationMs);
      messages.set(message.messageId, messages.get(message.messageId) ?? message);
      const checked = checkResult(read.claim, context);
      if (checked.kind === 'rejected') reject(checked);
      else if (checked.kind === 'verification') verifierResults.push(checked.result);
    }
  }
  return { messages: [...messages.values()], verifierResults, quarantine, attestedMs };
}

/** The batch without a cursor; null when the entries make no record. */
export function batchOf({ messages, verifierResults, quarantine }: DiscoveredRecords): WriteBatch | null {
  if (messages.length + verifierResults.length + quarantine.length === 0) return null;
  return { messages, verifierResults, quarantine };
}

/** The message id of an entry; null when its message cannot be read. */
export function messageIdOf({ raw }: PlacedEntry, readClaim: ReadClaim): Hex | null {
  const read = readClaim(raw);
  if (read.kind === 'empty') return null;
  return read.kind === 'claim' ? read.claim.messageId : read.messageId;
}

/** An aggregator speaks for every CCV of a message that it announces. */
function checkResult(claim: Claim, { aggregator, verifierNameOf, maxCCVDataBytes, nowMs }: EntryContext) {
  const source = canonicalAddress(claim.verifierSourceAddress);
  return checkVerifierResult(claim, {
    verifierName: verifierNameOf(source) ?? aggregator,
    issuers: new Set([source]),
    nowMs,
    ...(maxCCVDataBytes === undefined ? {} : { maxCCVDataBytes }),
  });
}

type Rejected = Pick<QuarantineEntry, 'messageId' | 'detail'> & { readonly reason: EntryReason | string };

/** The bytes are in the key: after a restart of the aggregator another entry has the same sequence. */
function rejected(context: EntryContext, sequence: string, raw: Uint8Array, facts: Rejected): QuarantineEntry {
  const { reason, messageId, detail } = facts;
  return {
    sourceId: discoverySourceId(context.aggregator),
    key: `${sequence}:${createHash('sha256').update(raw).digest('hex').slice(0, 16)}`,
    reason,
    messageId,
    ...boundedEvidence({ detail, raw }),
  };
}
