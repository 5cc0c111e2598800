import type { Readable } from 'node:stream';
import type { Hex } from '../../core/hex.js';
import { contentBytes, withContents } from '../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { entityTag } from '../http/entity-tag.js';
import type { Answer, Body } from '../routes/answer.js';
import type { BodyMemory } from '../routes/body-memory.js';
import { bodyStream, CHUNK_BYTES } from '../routes/body-stream.js';
import type { Fragment, Fragments } from './fragment-cache.js';
import type { RecordContents } from './record-contents.js';

/** Dependencies of the bodies. */
export interface Renderer {
  readonly fragments: Fragments;
  readonly memory: BodyMemory;
  /** Where the contents of outlines are read. */
  readonly contents: RecordContents;
}

type StoredRecord = StoredMessage | StoredVerifierResult;

/** A piece of a body: ASCII text, a record, or one that is rendered. */
type Piece = string | RecordPiece | Buffer;

interface RecordPiece {
  readonly record: StoredRecord;
  /** With its key in front. */
  readonly keyed: boolean;
}

/** A body that is longer than this, or has outlines in it, goes out piece by piece as the client takes it. */
const STREAM_ABOVE_BYTES = 8 * 1024 * 1024;
/** Bytes of a record's JSON besides its contents, about. */
const RECORD_BYTES = 2_048;

/** `GET /v1/verifierresults`: results grouped by message id, a message where its first result stands in the list. */
export function verifierResultsBody(
  records: readonly StoredVerifierResult[],
  renderer: Renderer,
): Body | Promise<Readable> {
  return toBody(records, verifierResultsPieces(records), renderer);
}

/** `GET /v1/verifierresults/{messageID}`; tagged unless it is sent in parts. */
export async function verifierResultsByIdAnswer(
  messageId: Hex,
  records: readonly StoredVerifierResult[],
  renderer: Renderer,
): Promise<Answer> {
  if (isSentInParts(records)) {
    const pieces = records.map((record) => ({ record, keyed: false }));
    return { body: await bodyStream(chunks(byIdPieces(messageId, pieces), renderer)) };
  }
  const fragments = records.map((record) => renderer.fragments.verifierResult(record));
  const pieces = fragments.map(({ json }) => json);
  const tag = entityTag(fragments.map(({ digest }) => digest));
  return { body: toBytes(byIdPieces(messageId, pieces), renderer), tag };
}

/** `GET /v1/messages`: messages by id, in list order. */
export function messagesBody(records: readonly StoredMessage[], renderer: Renderer): Body | Promise<Readable> {
  return toBody(records, messagesPieces(records), renderer);
}

/** About how many bytes the body takes in memory while it is sent. `partBytes`: see `Streaming`. */
export function bodyBytes(records: readonly StoredRecord[], partBytes: number): number {
  const bytes = renderedBytes(records);
  return bytes > STREAM_ABOVE_BYTES ? 2 * partBytes + RECORD_BYTES * records.length : bytes;
}

/** `Infinity`: an outline is among them. */
function renderedBytes(records: readonly StoredRecord[]): number {
  let bytes = 0;
  for (const record of records) {
    if (record.outline) return Number.POSITIVE_INFINITY;
    bytes += 2 * contentBytes(record) + RECORD_BYTES;
  }
  return bytes;
}

function* verifierResultsPieces(records: readonly StoredVerifierResult[]): Generator<Piece, void, void> {
  let open = '{"success":true,"verifierResults":{';
  for (const [first, ...others] of groupByMessage(records)) {
    yield open;
    yield { record: first, keyed: true };
    for (const record of others) {
      yield ',';
      yield { record, keyed: false };
    }
    open = '],';
  }
  yield open === '],' ? ']}}' : '{"success":true,"verifierResults":{}}';
}

function* byIdPieces(messageId: Hex, results: readonly Piece[]): Generator<Piece, void, void> {
  let open = '{"success":true,"results":[';
  for (const result of results) {
    yield open;
    yield result;
    open = ',';
  }
  yield `${results.length === 0 ? open : ''}],"messageID":"${messageId}"}`;
}

function* messagesPieces(records: readonly StoredMessage[]): Generator<Piece, void, void> {
  let open = '{"success":true,"messages":{';
  for (const record of records) {
    yield open;
    yield { record, keyed: true };
    open = ',';
  }
  yield records.length === 0 ? '{"success":true,"messages":{}}' : '}}';
}

/** The results of one message, at least one. */
type Group = [StoredVerifierResult, ...StoredVerifierResult[]];

function groupByMessage(records: readonly StoredVerifierResult[]): Iterable<Group> {
  const groups = new Map<Hex, Group>();
  for (const record of records) {
    const group = groups.get(record.messageId);
    if (group) group.push(record);
    else groups.set(record.messageId, [record]);
  }
  return groups.values();
}

function toBody(
  records: readonly StoredRecord[],
  source: Iterable<Piece>,
  renderer: Renderer,
): Body | Promise<Readable> {
  return isSentInParts(records) ? bodyStream(chunks(source, renderer)) : toBytes(source, renderer);
}

function isSentInParts(records: readonly StoredRecord[]): boolean {
  return renderedBytes(records) > STREAM_ABOVE_BYTES;
}

function toBytes(source: Iterable<Piece>, renderer: Renderer): Buffer {
  const pieces: (string | Buffer)[] = [];
  let sizeBytes = 0;
  for (const piece of source) {
    const rendered = isRendered(piece) ? piece : bytesOf(piece, piece.record, renderer.fragments);
    pieces.push(rendered);
    sizeBytes += rendered.length;
  }
  return join(pieces, renderer.memory.take(sizeBytes));
}

/**
 * Contents of a record are read when the client has taken those before: a thousand records of a megabyte are never in
 * memory at once.
 */
async function* chunks(source: Iterable<Piece>, { fragments, contents }: Renderer): AsyncGenerator<Buffer, void, void> {
  let pieces: (string | Buffer)[] = [];
  let sizeBytes = 0;
  for (const piece of source) {
    const rendered = isRendered(piece) ? piece : bytesOf(piece, await wholeOf(piece.record, contents), fragments);
    pieces.push(rendered);
    sizeBytes += rendered.length;
    if (sizeBytes < CHUNK_BYTES) continue;
    yield join(pieces, Buffer.allocUnsafe(sizeBytes));
    pieces = [];
    sizeBytes = 0;
  }
  yield join(pieces, Buffer.allocUnsafe(sizeBytes));
}

function isRendered(piece: Piece): piece is string | Buffer {
  return typeof piece === 'string' || Buffer.isBuffer(piece);
}

/** The record in the state that the list showed: fields that can change are those of the outline. */
async function wholeOf(record: StoredRecord, contents: RecordContents): Promise<StoredRecord> {
  if (!record.outline) return record;
  return 'ccvData' in record
    ? withContents(record, await contents.verifierResult(record))
    : withContents(record, await contents.message(record));
}

function bytesOf({ keyed }: RecordPiece, record: StoredRecord, fragments: Fragments): Buffer {
  const fragment: Fragment = 'ccvData' in record ? fragments.verifierResult(record) : fragments.message(record);
  return keyed ? fragment.keyed : fragment.json;
}

function join(pieces: readonly (string | Buffer)[], body: Buffer): Buffer {
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece !== 'string') {
      body.set(piece, at);
      at += piece.length;
    } else if (piece.length > SHORT) at += body.write(piece, at, 'latin1');
    else for (let index = 0; index < piece.length; index += 1) body[at++] = piece.charCodeAt(index);
  }
  return body;
}

/** Below this, storing characters one by one is cheaper than a call into the runtime. */
const SHORT = 8;
