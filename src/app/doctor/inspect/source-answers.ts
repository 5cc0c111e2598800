import type { DiscoverySection, VerifierSection } from '../../../config/schema/schema.js';
import type { Common } from '../../../core/common.js';
import type { Hex } from '../../../core/hex.js';
import { outsideText } from '../../../core/outside-text.js';
import { readEntries } from '../../../discovery/read-entries.js';
import { verifierResultPayloadHash } from '../../../model/payload.js';
import type { MessageBody } from '../../../model/records.js';
import type { VerifierResult } from '../../../protocol/records.js';
import { readProtobufClaim } from '../../../verifiers/aggregator/client/protobuf-claim.js';
import { VerifierResultRejectedError } from '../../../verifiers/verifier-errors.js';
import { openAggregator } from '../../open-discoveries.js';
import { openVerifier } from '../../open-verifier.js';

/** The present answer of a verifier or an aggregator about one message. */
export type SourceAnswer =
  | { readonly state: 'unknown' }
  | { readonly state: 'rejected'; readonly reason: string; readonly detail: string }
  /** An aggregator announces the message without a result. */
  | { readonly state: 'announced'; readonly body: MessageBody }
  | {
      readonly state: 'result';
      readonly body: MessageBody;
      readonly verifierSourceAddress: Hex;
      readonly attestationMs: number;
      /** As in conflicts. */
      readonly payloadHash: Hex;
    };

/** Asks a verifier; nothing is stored. @throws VerifierUnavailableError, AbortedError */
export async function askVerifier(
  section: VerifierSection,
  messageId: Hex,
  common: Common,
  signal: AbortSignal,
): Promise<SourceAnswer> {
  const reader = await openVerifier({ ...section, MaxBatchWaitTime: 0 }, common);
  try {
    const result = await reader.read(messageId, signal);
    return result === null ? { state: 'unknown' } : answerOf(result);
  } catch (thrown) {
    if (!(thrown instanceof VerifierResultRejectedError)) throw thrown;
    return { state: 'rejected', reason: thrown.reason, detail: outsideText(thrown.detail) };
  } finally {
    await reader.close();
  }
}

/** Asks an aggregator for a message by its id; nothing is stored. @throws AggregatorCallError, AbortedError */
export async function askAggregator(
  section: DiscoverySection,
  messageId: Hex,
  common: Common,
  signal: AbortSignal,
): Promise<SourceAnswer> {
  const client = openAggregator(section, common);
  try {
    const { results } = await client.resultsFor([messageId], signal);
    const placed = results.filter((raw) => raw.length > 0).map((raw) => ({ sequence: 0n, raw }));
    const context = { aggregator: section.Name, readClaim: readProtobufClaim, verifierNameOf: () => null };
    const nowMs = common.clock.nowMs();
    const { messages, verifierResults, quarantine } = await readEntries(
      { placed, misplaced: [] },
      { ...context, nowMs },
    );
    const [result] = verifierResults;
    if (result) return answerOf(result);
    const [rejected] = quarantine;
    if (rejected) return { state: 'rejected', reason: rejected.reason, detail: outsideText(rejected.detail) };
    const [message] = messages;
    return message ? { state: 'announced', body: message } : { state: 'unknown' };
  } finally {
    client.close();
  }
}

function answerOf(result: VerifierResult): SourceAnswer {
  const { verifierSourceAddress, attestationMs } = result;
  const payloadHash = verifierResultPayloadHash(result);
  return { state: 'result', body: result, verifierSourceAddress, attestationMs, payloadHash };
}
