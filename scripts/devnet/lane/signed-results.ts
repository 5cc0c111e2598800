import { appendFileSync, readFileSync, truncateSync } from 'node:fs';
import { bytesToHex, type Hex, hexToBytes } from '../../../src/core/hex.js';
import type { VerifierResult } from '../../../src/protocol/records.js';

/** The results that a committee has signed, in the order of their signing. */
export interface SignedResults {
  /** Those of earlier starts. */
  readonly kept: readonly VerifierResult[];
  /** Adds one; it outlives this process from then on. */
  append(result: VerifierResult): void;
}

type Line = Omit<VerifierResult, 'encodedMessage' | 'ccvData'> & {
  readonly encodedMessage: Hex;
  readonly ccvData: Hex;
};

/**
 * Opens a file with a result a line. The last line of a process that was killed may be torn: it is cut off, since its
 * result was given to nobody yet. Without a file nothing is kept.
 */
export function openSignedResults(file: string | null): SignedResults {
  if (file === null) return { kept: [], append: () => undefined };
  appendFileSync(file, '');
  const text = readFileSync(file);
  const wholeBytes = text.lastIndexOf('\n') + 1;
  truncateSync(file, wholeBytes);
  const lines = text.toString('utf8', 0, wholeBytes).split('\n').slice(0, -1);
  return {
    kept: lines.map(readLine),
    append: (result) => appendFileSync(file, writeLine(result)),
  };
}

function writeLine({ encodedMessage, ccvData, ...result }: VerifierResult): string {
  const line: Line = { ...result, encodedMessage: bytesToHex(encodedMessage), ccvData: bytesToHex(ccvData) };
  return `${JSON.stringify(line)}\n`;
}

function readLine(text: string): VerifierResult {
  const line = JSON.parse(text) as Line;
  return { ...line, encodedMessage: hexToBytes(line.encodedMessage), ccvData: hexToBytes(line.ccvData) };
}
