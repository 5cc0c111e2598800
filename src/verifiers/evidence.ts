import type { QuarantineEntry } from '../model/records.js';

/** Longer evidence is cut: a hostile service must not fill the quarantine with a few answers. */
const MAX_RAW_BYTES = 1024 * 1024;
const MAX_DETAIL_CHARS = 2_000;
/** Characters that storages do not take in a text, and a service may have put into the words that a detail quotes. */
const UNSTORABLE = /[\0\p{Surrogate}]/gu;

/** Detail and bytes of rejected input as a quarantine can hold them. */
export function boundedEvidence({
  detail,
  raw,
}: Pick<QuarantineEntry, 'detail' | 'raw'>): Pick<QuarantineEntry, 'detail' | 'raw'> {
  return {
    detail: detail.slice(0, MAX_DETAIL_CHARS).replace(UNSTORABLE, '\ufffd'),
    // memory of its own: a part would keep the whole alive
    raw: raw.length > MAX_RAW_BYTES ? Uint8Array.from(raw.subarray(0, MAX_RAW_BYTES)) : raw,
  };
}
