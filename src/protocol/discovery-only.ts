import type { Hex } from '../core/hex.js';

/**
 * Version tag of verifier results that only announce a message: keccak256("CCIP1.7_MessageDiscovery_Version"), 4
 * bytes.
 */
export const DISCOVERY_ONLY_TAG: Hex = '0x3c4605eb';

const TAG_BYTES = 4;
const TAG = 0x3c4605eb;

/**
 * True when `ccvData` proves no more than that the message exists: the tag above, or nothing after a tag
 * (`README.md`). Such a result announces its message and is never stored as a verification.
 */
export function isDiscoveryOnly(ccvData: Uint8Array): boolean {
  if (ccvData.length <= TAG_BYTES) return true;
  return new DataView(ccvData.buffer, ccvData.byteOffset, TAG_BYTES).getUint32(0) === TAG;
}
