import type { Hex } from '../../core/hex.js';
import { withContents } from '../../model/outlines.js';
import type { StoredExecution, StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { CCVDataNotFoundError } from '../../model/storage-errors.js';
import type { Storage } from '../../storage/storage.js';
import type { Answer } from '../routes/answer.js';
import { bodyStream, CHUNK_BYTES } from '../routes/body-stream.js';
import { EXECUTION_BYTES, messageBytes, RECORD_BYTES } from './answer-size.js';
import { executionOf, messageOf, verificationOf } from './records.js';

/** Why a CCV has no verification. */
type Missing = 'waiting' | 'timeout' | 'orphaned' | 'no-verifier';

/** A message with all that belongs to it. Results beyond `AnswerPartBytes` are outlines. */
export interface MessageDetail {
  readonly message: StoredMessage;
  readonly results: readonly StoredVerifierResult[];
  readonly executions: readonly StoredExecution[];
  /** Whether a verifier answers for a CCV; null: not known. */
  readonly serves: ((ccv: Hex) => boolean) | null;
}

/** A body of more bytes, or with outlines in it, goes out piece by piece as the client takes it. */
const STREAM_ABOVE_BYTES = 8 * 1024 * 1024;

/** @throws as storage does; a message without results has none. */
export async function resultsOf(
  storage: Pick<Storage, 'getCCVData'>,
  messageId: Hex,
  partBytes: number,
): Promise<readonly StoredVerifierResult[]> {
  try {
    return await storage.getCCVData(messageId, { maxBytes: partBytes });
  } catch (thrown) {
    if (thrown instanceof CCVDataNotFoundError) return [];
    throw thrown;
  }
}

/** About how many bytes the answer takes in memory while it is sent. */
export function detailBytes(detail: MessageDetail, partBytes: number): number {
  const results = isSentInParts(detail)
    ? 2 * partBytes + RECORD_BYTES * detail.results.length
    : resultBytes(detail.results);
  return headBytes(detail) + results;
}

/** The answer, held in memory or made as the client takes it: contents of outlines are read then. */
export async function detailAnswer(detail: MessageDetail, storage: Pick<Storage, 'getCCVData'>): Promise<Answer> {
  if (isSentInParts(detail)) return { body: await bodyStream(chunks(detail, storage)) };
  const text = [...pieces(detail)].map((piece) => (typeof piece === 'string' ? piece : jsonOf(piece)));
  return { body: Buffer.from(text.join('')) };
}

function isSentInParts({ results }: MessageDetail): boolean {
  return resultBytes(results) > STREAM_ABOVE_BYTES;
}

function headBytes({ message, executions }: MessageDetail): number {
  return executions.reduce(
    (sum, { returnData }) => sum + EXECUTION_BYTES + 2 * returnData.length,
    messageBytes(message),
  );
}

/** `Infinity`: an outline is among them. */
function resultBytes(results: readonly StoredVerifierResult[]): number {
  let bytes = 0;
  for (const { outline, ccvData } of results) {
    if (outline) return Number.POSITIVE_INFINITY;
    bytes += RECORD_BYTES + 2 * ccvData.length;
  }
  return bytes;
}

/** JSON of the answer: texts, and results in whose place theirs stands. */
function* pieces(detail: MessageDetail): Generator<string | StoredVerifierResult, void, void> {
  const { message, executions } = detail;
  const byCCV = new Map<Hex, StoredVerifierResult[]>(message.messageCCVAddresses.map((ccv) => [ccv, []]));
  const others: StoredVerifierResult[] = [];
  for (const result of detail.results) (byCCV.get(result.verifierSourceAddress) ?? others).push(result);
  const made = executions.filter(({ orphaned }) => !orphaned).map(({ place }) => place.transactionHash);
  const head = {
    ...messageOf(message),
    transactions: { source: message.origin?.transactionHash ?? null, destination: [...new Set(made)] },
    executions: executions.map(executionOf),
  };
  yield `${JSON.stringify(head).slice(0, -1)},"requiredCCVs":[`;
  let open = '';
  for (const [address, results] of byCCV) {
    yield `${open}{"address":"${address}","verifications":[`;
    yield* separated(results);
    yield `],"missing":${JSON.stringify(results.length > 0 ? null : whyMissing(detail, address))}}`;
    open = ',';
  }
  yield '],"otherVerifications":[';
  yield* separated(others);
  yield ']}';
}

function* separated(results: readonly StoredVerifierResult[]): Generator<string | StoredVerifierResult, void, void> {
  for (const [place, result] of results.entries()) {
    if (place > 0) yield ',';
    yield result;
  }
}

function whyMissing({ message, serves }: MessageDetail, ccv: Hex): Missing {
  if (message.orphaned) return 'orphaned';
  if (serves?.(ccv) === false) return 'no-verifier';
  return message.status === 'timeout' ? 'timeout' : 'waiting';
}

async function* chunks(
  detail: MessageDetail,
  storage: Pick<Storage, 'getCCVData'>,
): AsyncGenerator<Buffer, void, void> {
  let text = '';
  for (const piece of pieces(detail)) {
    text += typeof piece === 'string' ? piece : jsonOf(await wholeOf(piece, storage));
    if (text.length < CHUNK_BYTES) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}

/** The result in the state that was read first: its contents never change. */
async function wholeOf(
  result: StoredVerifierResult,
  storage: Pick<Storage, 'getCCVData'>,
): Promise<StoredVerifierResult> {
  if (!result.outline) return result;
  const { messageId, verifierSourceAddress, verifierDestAddress } = result;
  const [whole] = await storage.getCCVData(messageId, { verifierSourceAddress, verifierDestAddress });
  if (!whole) throw new CCVDataNotFoundError(messageId);
  return withContents(result, whole);
}

function jsonOf(result: StoredVerifierResult): string {
  return JSON.stringify(verificationOf(result));
}
