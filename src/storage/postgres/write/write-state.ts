import type { Hex } from '../../../core/hex.js';
import type { MessageOrigin, MessageStatus, SourceCursor, VerifierResult } from '../../../model/records.js';
import type { MessageBody } from '../rows/message-body.js';
import type { PreparedBatch } from './prepared-batch.js';

/** A message's body, stored or about to be. */
export interface BodyState {
  readonly hash: Hex;
  /** When the first record of the id was stored; null: in this commit. */
  readonly firstMs: number | null;
  /** Null until somebody needs it. */
  content: MessageBody | null;
  /** False when there is no row of it: it is new, or pruned and has to be written again if anything of the id is. */
  readonly stored: boolean;
}

/** A message, stored or about to be. */
export interface MessageState {
  readonly messageId: Hex;
  readonly stored: boolean;
  origin: MessageOrigin | null;
  status: MessageStatus;
  orphaned: boolean;
  /** Null: in this commit. */
  ingestionMs: number | null;
  /** Not null while the message is pruned and not recalled: then origin and ingestion time are not known. */
  pruned: PrunedMessage | null;
}

/** What is left of a pruned message besides its status. */
export interface PrunedMessage {
  /** See `originHash`; null: it has no origin. */
  readonly originHash: Hex | null;
}

/** A verifier result, stored or about to be; `body` is that of its id. */
export interface ResultState {
  readonly stored: boolean;
  readonly result: Omit<VerifierResult, keyof MessageBody>;
  orphaned: boolean;
  /** Null: in this commit. */
  ingestionMs: number | null;
  /** Not null while the result is pruned and not recalled (see `ccvHash`): then of `result` only the identity counts. */
  readonly prunedCcvHash: Hex | null;
}

/** What of the stored state a group of batches touches, by identity; the batches are applied to it in memory. */
export interface WriteState {
  readonly bodies: Map<Hex, BodyState>;
  readonly messages: Map<Hex, MessageState>;
  readonly results: Map<string, ResultState>;
  readonly cursors: Map<string, SourceCursor>;
  /** Identities of entries that are stored. */
  readonly quarantine: Set<Hex>;
  /** Ids of which something is pruned and not recalled: of their results not all may be in the state. */
  readonly incomplete: Set<Hex>;
}

/** The body of an id whose state has it. */
export function contentOf(body: BodyState | undefined): MessageBody {
  if (!body?.content) throw new TypeError('the body of a changed record was not read');
  return body.content;
}

/** What to ask the database about before a group of batches can be applied. */
export interface Touched {
  readonly messageIds: readonly Hex[];
  /** Those of them whose body is needed too: their record changes without being given again. */
  readonly withBody: ReadonlySet<Hex>;
  /** Those of which all results are needed: they may leave the lists. */
  readonly withResults: readonly Hex[];
  readonly results: readonly ResultState['result'][];
  readonly sourceIds: readonly string[];
  readonly quarantine: readonly Hex[];
}

/** Everything that the batches name. */
export function touchedBy(batches: readonly PreparedBatch[]): Touched {
  const messageIds = new Set<Hex>();
  const withBody = new Set<Hex>();
  const withResults = new Set<Hex>();
  const results = new Map<string, ResultState['result']>();
  const sourceIds = new Set<string>();
  const quarantine = new Set<Hex>();
  for (const batch of batches) {
    for (const { messageId } of batch.orphanings) withResults.add(messageId);
    for (const { messageId } of [...batch.orphanings, ...batch.statuses]) withBody.add(messageId);
    for (const { messageId } of batch.messages) messageIds.add(messageId);
    for (const { key, result } of batch.results) {
      messageIds.add(result.messageId);
      results.set(key, result);
    }
    for (const { sourceId } of batch.cursors) sourceIds.add(sourceId);
    for (const { identity } of batch.quarantine) quarantine.add(identity);
  }
  for (const messageId of withBody) messageIds.add(messageId);
  return {
    messageIds: [...messageIds],
    withBody,
    withResults: [...withResults],
    results: [...results.values()],
    sourceIds: [...sourceIds],
    quarantine: [...quarantine],
  };
}
