import type { Hex } from '../../../src/core/hex.js';
import type { VerifierResult } from '../../../src/model/records.js';
import { createRecordMaker } from '../../../test/support/records.js';

/** Of a record: message and proof together. */
export const PAYLOAD_BYTES = 2_048;

/** A committee's proof with two signatures (`src/protocol/README.md`). */
export const PROOF_BYTES = 134;

/** The verifier on the destination chain: a lane has few. */
const DEST: Hex = `0x${'5c'.repeat(20)}`;

function payloadBytes({ encodedMessage, ccvData }: VerifierResult): number {
  return encodedMessage.length + ccvData.length;
}

/** Makes verifier results of `PAYLOAD_BYTES`, each of a message of its own; no two calls make the same. */
export function createResultMaker(seed: number): (count: number) => VerifierResult[] {
  const maker = createRecordMaker(seed);
  const make = (dataBytes: number) =>
    maker.result(maker.message({ dataBytes }), 0, { ccvDataBytes: PROOF_BYTES, dest: DEST });
  const dataBytes = PAYLOAD_BYTES - payloadBytes(make(0));
  return (count) => Array.from({ length: count }, () => make(dataBytes));
}
