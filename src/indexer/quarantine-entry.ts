import { createHash } from 'node:crypto';
import type { QuarantineEntry } from '../model/records.js';
import { boundedEvidence } from '../verifiers/evidence.js';
import type { VerifierResultRejectedError } from '../verifiers/verifier-errors.js';

/**
 * The quarantine entry for a rejected verifier result: source `verifier:<name>`, key `<message id>:<reason>` (or the
 * sha256 of the bytes where no message id can be read), so that the same failure is kept once however often it comes.
 */
export function quarantineEntry(rejected: VerifierResultRejectedError): QuarantineEntry {
  const subject = rejected.messageId ?? `sha256:${createHash('sha256').update(rejected.raw).digest('hex')}`;
  return {
    sourceId: `verifier:${rejected.verifier}`,
    key: `${subject}:${rejected.reason}`,
    reason: rejected.reason,
    messageId: rejected.messageId,
    ...boundedEvidence(rejected),
  };
}
