import { createHash } from 'node:crypto';
import type { QuarantineEntry } from '../model/records.js';
import type { VerifierResultRejectedError } from '../verifiers/verifier-errors.js';

/** Longer evidence is cut: a hostile verifier must not fill the quarantine with a few answers. */
const MAX_RAW_BYTES = 1024 * 1024;
const MAX_DETAIL_CHARS = 2_000;
/** Characters that storages do not take in a text, and a verifier may have put into the words that a detail quotes. */
const UNSTORABLE = /[\0\p{Surrogate}]/gu;

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
    detail: rejected.detail.slice(0, MAX_DETAIL_CHARS).replace(UNSTORABLE, '\ufffd'),
    // memory of its own: a part would keep the whole alive
    raw: rejected.raw.length > MAX_RAW_BYTES ? Uint8Array.from(rejected.raw.subarray(0, MAX_RAW_BYTES)) : rejected.raw,
    messageId: rejected.messageId,
  };
}
