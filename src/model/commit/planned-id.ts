import type { MessageBody } from '../records.js';
import type { PlannedId, PlannedResult } from './commit-plan.js';
import { sameBody } from './equality.js';
import type { Given } from './given-batch.js';
import type { ResultContents } from './known.js';

/** True when the id has the body of `given`, or had none and now has it. */
export function claimBody(id: PlannedId, given: Given<MessageBody>): boolean {
  if (id.body === null) {
    if (id.bodyHash !== undefined && id.bodyHash !== given.bodyHash) return false;
    id.body = given;
    id.bodyHash = given.bodyHash;
    return true;
  }
  if (id.bodyHash !== undefined && given.bodyHash !== undefined) return id.bodyHash === given.bodyHash;
  return sameBody(id.body, given);
}

/** The result has other contents, and is listed anew with its message; while it is orphaned neither is listed. */
export function replaceContents(id: PlannedId, result: PlannedResult, contents: ResultContents): void {
  result.contents = contents;
  if (!result.orphaned) {
    result.ingestionMs = null;
    result.moved = true;
  }
  const { message } = id;
  if (!message || message.orphaned || message.prunedOrigin !== undefined) return;
  id.message = { ...message, ingestionMs: null };
  id.messageMoved = true;
}
