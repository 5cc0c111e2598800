import { createHash } from 'node:crypto';
import type { Hex } from '../core/hex.js';
import type { WriteBatch } from '../model/batch.js';
import type { NewMessage, QuarantineEntry, VerifierResult } from '../model/records.js';
import type { CommitteeUnreadableError } from '../protocol/committee-reading.js';
import { canonicalAddress } from '../verifiers/address.js';
import { announcedMessage, checkVerifierResult } from '../verifiers/check-result.js';
import type { Claim } from '../verifiers/claim.js';
import { boundedEvidence } from '../verifiers/evidence.js';
import type { JudgedResult } from '../verifiers/signature-check.js';
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
  /** Judges the signatures of a result. Absent: they are not judged. */
  readonly judge?: (result: VerifierResult) => Promise<JudgedResult>;
  readonly nowMs: number;
}

/** The records that entries make, each message once. */
export interface DiscoveredRecords {
  readonly messages: readonly NewMessage[];
  readonly verifierResults: readonly VerifierResult[];
  readonly quarantine: readonly QuarantineEntry[];
  /** Attestation time of each of `messages`, unix ms as the aggregator gave it. */
  readonly attestedMs: readonly number[];
  /** The first entry, by sequence, whose result could not be judged: its message is among `messages`. */
  readonly unjudged: { readonly sequence: bigint; readonly error: CommitteeUnreadableError } | null;
}

/** The reason why an entry stands in quarantine that no check of a verifier result names. */
type EntryReason = 'empty' | 'sequence';

/**
 * Reads entries, whatever their sequences: each is a message, and its verifier result unless that only announces the
 * message. A failed check of the result leaves the message standing. Of a rejected entry the bytes are kept under its
 * sequence, of one with wrong signatures its `ccv_data`. Without a cursor the records are a `WriteBatch` of a range of
 * sequences.
 */
export async function readEntries(
  { placed, misplaced }: Pick<Page, 'placed' | 'misplaced'>,
  context: EntryContext,
): Promise<DiscoveredRecords> {
  const messages = new Map<Hex, NewMessage>();
  const attestedMs: number[] = [];
  const checkedResults: { readonly sequence: bigint; readonly result: VerifierResult }[] = [];
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
      else if (checked.kind === 'verification')
        checkedResults.push({ sequence: entry.sequence, result: checked.result });
    }
  }
  const verifierResults: VerifierResult[] = [];
  let unjudged: DiscoveredRecords['unjudged'] = null;
  // side by side: the nodes of a destination are waited for once
  const judged = await Promise.all(checkedResults.map(async ({ result }) => await judgedResult(result, context)));
  for (const [index, { sequence, result }] of checkedResults.entries()) {
    const each = judged[index];
    if (each?.kind === 'taken') verifierResults.push(each.result);
    else if (each?.kind === 'refused')
      quarantine.push(rejected(context, String(sequence), result.ccvData, { ...each, messageId: result.messageId }));
    else if (each) unjudged = unjudged && unjudged.sequence < sequence ? unjudged : { sequence, error: each.error };
  }
  return { messages: [...messages.values()], verifierResults, quarantine, attestedMs, unjudged };
}

/** The records of entries that can all be judged. @throws CommitteeUnreadableError when one cannot be now. */
export async function readJudgedEntries(
  page: Pick<Page, 'placed' | 'misplaced'>,
  context: EntryContext,
): Promise<DiscoveredRecords> {
  const records = await readEntries(page, context);
  if (records.unjudged) throw records.unjudged.error;
  return records;
}

async function judgedResult(result: VerifierResult, { judge }: EntryContext): Promise<JudgedResult> {
  return judge ? await judge(result) : { kind: 'taken', result };
}

/** The batch without a cursor; null when the entries make no record. */
export function batchOf({
  messages,
  verifierResults,
  quarantine,
}: Omit<DiscoveredRecords, 'unjudged'>): WriteBatch | null {
  if (messages.length + verifierResults.length + quarantine.length === 0) return null;
  return { messages, verifierResults, quarantine };
}

/** The message id of an entry; null when its message cannot be read. */
export function messageIdOf({ raw }: Pick<PlacedEntry, 'raw'>, readClaim: ReadClaim): Hex | null {
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
