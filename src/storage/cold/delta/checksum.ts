import { crc32 } from 'node:zlib';

/*
 * The checksums in its footer show a damaged data file. The log has none in Delta's protocol, and one wrong digit
 * there (the ledger's position, the bounds of a file) would make wrong answers without a sign. So ours holds a
 * CRC-32, in fields that other readers ignore: in `commitInfo` of a commit, over the lines after it; in the metadata
 * of a checkpoint's footer, over the file with zeros in the checksum's place. Commits of other writers have none.
 */

/** The name of the checksum, in both. */
export const CHECKSUM_KEY = 'ccv-indexer.crc32';

/** The placeholder of the checksum while a checkpoint is written. */
export const NO_CHECKSUM = '00000000';

const LINE_END = 0x0a;
/** As Thrift's compact protocol has the key, and the length of the text after it. */
const MARK = Buffer.from(`${CHECKSUM_KEY}\x18\x08`, 'latin1');

/** The checksum of the lines after the first one of a commit. */
export function checksumOfActions(commit: Uint8Array): number {
  const end = commit.indexOf(LINE_END);
  return crc32(end < 0 ? new Uint8Array(0) : commit.subarray(end + 1));
}

/** Puts the checksum of a checkpoint into its place. */
export function sealCheckpoint(bytes: Uint8Array): void {
  const at = placeIn(bytes);
  if (at !== null) Buffer.from(textOf(checksumWithout(bytes, at)), 'latin1').copy(bytes, at);
}

/** True for a checkpoint of ours. */
export function isSealed(bytes: Uint8Array): boolean {
  return placeIn(bytes) !== null;
}

/** False for a checkpoint that is not as it was sealed. */
export function isIntactCheckpoint(bytes: Uint8Array): boolean {
  const at = placeIn(bytes);
  if (at === null) return true;
  const sealed = Buffer.from(bytes.subarray(at, at + NO_CHECKSUM.length)).toString('latin1');
  return sealed === textOf(checksumWithout(bytes, at));
}

function placeIn(bytes: Uint8Array): number | null {
  const mark = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).lastIndexOf(MARK);
  return mark < 0 ? null : mark + MARK.length;
}

function checksumWithout(bytes: Uint8Array, at: number): number {
  const before = crc32(bytes.subarray(0, at));
  return crc32(bytes.subarray(at + NO_CHECKSUM.length), crc32(NO_CHECKSUM, before));
}

function textOf(checksum: number): string {
  return checksum.toString(16).padStart(NO_CHECKSUM.length, '0');
}
