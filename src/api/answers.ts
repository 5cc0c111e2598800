import { Readable } from 'node:stream';
import type { Hex } from '../core/hex.js';
import type { StoredMessage, StoredVerifierResult } from '../storage/records.js';
import type { BodyMemory } from './body-memory.js';
import type { Fragments } from './fragment-cache.js';

/** A body ready to send: bytes of known length, or, for a very large one, a stream of them. */
export type Body = Buffer | Readable;

/** What bodies are made with. */
export interface Renderer {
  readonly fragments: Fragments;
  readonly memory: BodyMemory;
}

/** A piece of a body: ASCII text, or bytes. */
type Piece = string | Buffer;

/**
 * A body above this goes out piece by piece as the client takes it, so that a thousand records of a megabyte are never in
 * memory at once. A record that cannot be rendered then breaks the connection off: the client sees a broken body, not a
 * shorter one.
 */
const STREAM_ABOVE_BYTES = 8 * 1024 * 1024;

/** `GET /v1/verifierresults`: results grouped by message id, a message where its first result stands in the list. */
export function verifierResultsBody(records: readonly StoredVerifierResult[], renderer: Renderer): Body {
  return toBody(verifierResultsPieces(records, renderer.fragments), renderer.memory);
}

/** `GET /v1/verifierresults/{messageID}`. */
export function verifierResultsByIdBody(
  messageId: Hex,
  records: readonly StoredVerifierResult[],
  renderer: Renderer,
): Body {
  return toBody(byIdPieces(messageId, records, renderer.fragments), renderer.memory);
}

/** `GET /v1/messages`: messages by id, in list order. */
export function messagesBody(records: readonly StoredMessage[], renderer: Renderer): Body {
  return toBody(messagesPieces(records, renderer.fragments), renderer.memory);
}

function* verifierResultsPieces(
  records: readonly StoredVerifierResult[],
  fragments: Fragments,
): Generator<Piece, void, void> {
  let open = '{"success":true,"verifierResults":{';
  for (const [first, ...others] of groupByMessage(records)) {
    yield open;
    yield fragments.verifierResult(first).keyed;
    for (const record of others) {
      yield ',';
      yield fragments.verifierResult(record).json;
    }
    open = '],';
  }
  yield open === '],' ? ']}}' : '{"success":true,"verifierResults":{}}';
}

function* byIdPieces(
  messageId: Hex,
  records: readonly StoredVerifierResult[],
  fragments: Fragments,
): Generator<Piece, void, void> {
  let open = '{"success":true,"results":[';
  for (const record of records) {
    yield open;
    yield fragments.verifierResult(record).json;
    open = ',';
  }
  yield `${records.length === 0 ? open : ''}],"messageID":"${messageId}"}`;
}

function* messagesPieces(records: readonly StoredMessage[], fragments: Fragments): Generator<Piece, void, void> {
  let open = '{"success":true,"messages":{';
  for (const record of records) {
    yield open;
    yield fragments.message(record).keyed;
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

function toBody(source: Generator<Piece, void, void>, memory: BodyMemory): Body {
  const pieces: Piece[] = [];
  let sizeBytes = 0;
  for (let next = source.next(); !next.done; next = source.next()) {
    pieces.push(next.value);
    sizeBytes += next.value.length;
    if (sizeBytes > STREAM_ABOVE_BYTES) return Readable.from(chunks(pieces, sizeBytes, source), { objectMode: false });
  }
  return join(pieces, memory.take(sizeBytes));
}

function* chunks(first: readonly Piece[], sizeBytes: number, rest: Iterable<Piece>): Generator<Buffer, void, void> {
  yield join(first, Buffer.allocUnsafe(sizeBytes));
  for (const piece of rest) yield typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece;
}

function join(pieces: readonly Piece[], body: Buffer): Buffer {
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
