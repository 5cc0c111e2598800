import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { IndexerError } from '../../core/errors.js';
import { type Hex, isHex } from '../../core/hex.js';
import type { NewMessage, QuarantineEntry, VerifierResult } from '../../model/records.js';
import type { MessageStatus } from '../../model/status.js';
import { isDiscoveryOnly } from '../../protocol/discovery-only.js';
import { parseExactJson } from '../../protocol/exact-json.js';
import { computeMessageId } from '../../protocol/keccak.js';
import { encodeMessage } from '../../protocol/message-codec.js';
import { messageFromJson } from '../../protocol/message-json.js';
import { canonicalAddress } from '../../verifiers/address.js';
import { announcedMessage } from '../../verifiers/check-result.js';
import type { Claim } from '../../verifiers/claim.js';
import { boundedEvidence } from '../../verifiers/evidence.js';
import type { GoMessageRow, GoResultRow, GoRow, RecordTable } from './go-rows.js';
import type { LocalClock } from './local-clock.js';

/** The source of everything that an import keeps besides records: cursors and quarantined rows. */
export const GO_INDEXER_SOURCE = 'go-indexer';

/** The clocks of the processes that wrote the rows may differ by as much. */
const CLOCK_SLACK_MS = 10 * 60_000;
/** A row from further ahead is not believed: no commit of ours comes before the time of the last. */
const MAX_AHEAD_MS = 24 * 3_600_000;

/** A row that holds, as it is stored; its time, and the least that any row of its message has. */
export type GoRecord = {
  readonly ingestionMs: number;
  readonly firstMs: number;
  /** The wall clock read its time twice. */
  readonly isFolded: boolean;
  /** Addresses that the row lacks were proved by the message's hash. */
  readonly isCompleted: boolean;
} & (
  | { readonly kind: 'message'; readonly record: NewMessage; readonly status: MessageStatus }
  | { readonly kind: 'verifierResult'; readonly record: VerifierResult }
);

/** A row that fails a check. Its time, if it has one. */
export interface BadRow {
  readonly kind: 'bad';
  readonly ingestionMs: number | null;
  readonly entry: QuarantineEntry;
}

/** Messages of one application agree in it. */
const HASHES_REMEMBERED = 10_000;

const STATUSES: Readonly<Record<string, MessageStatus>> = {
  ...{ PROCESSING: 'processing', SUCCESS: 'success', TIMEOUT: 'timeout' },
};

/** The executor of messages that are not to be executed: `Client.NO_EXECUTION_ADDRESS` of CCIP 2.0. */
const NO_EXECUTION: Hex = '0xeba517d200000000000000000000000000000000';
const NO_ADDRESS: Hex = `0x${'0'.repeat(40)}`;

/** Makes records of rows, and checks each against its message id and the addresses that its message commits to. */
export interface RowReader {
  message(row: GoMessageRow): GoRecord | BadRow;
  result(row: GoResultRow): GoRecord | BadRow;
  /**
   * Messages name no executor there: one without a result is tried with those that others name. Rows that are read name
   * theirs; this tells further ones.
   */
  knowExecutors(executors: readonly string[]): void;
}

/** The failure of one check; `RowReader` makes a `BadRow` of it. */
class RowFault extends IndexerError {
  constructor(
    readonly reason: string,
    message: string,
  ) {
    super('GO_ROW', message, false);
  }
}

export function createRowReader(options: {
  readonly local: LocalClock;
  /** The name of the configured verifier that speaks for a CCV; their tables have none. */
  readonly verifierNameOf: (ccvAddress: Hex) => string | null;
  readonly nowMs: () => number;
}): RowReader {
  const { local, verifierNameOf, nowMs } = options;
  const executors = new Set<Hex>(['0x', NO_ADDRESS, NO_EXECUTION]);
  const addressesByHash = new LRUCache<Hex, Addresses>({ max: HASHES_REMEMBERED });
  /** Addresses that no hash proves, by message. */
  const unproved = new LRUCache<Hex, Addresses>({ max: HASHES_REMEMBERED });

  function read(table: RecordTable, row: GoRow, make: () => GoRecord): GoRecord | BadRow {
    try {
      return make();
    } catch (thrown) {
      if (!(thrown instanceof IndexerError)) throw thrown;
      const reason = thrown instanceof RowFault ? thrown.reason : 'message';
      const ms = 'executor' in row ? row.ingestion_ms : row.local_ms;
      const isKnown = ms !== null && isTime(Number(ms)) && Number(ms) <= nowMs() + MAX_AHEAD_MS;
      const ingestionMs = !isKnown ? null : 'executor' in row ? Number(ms) : local.firstInstant(Number(ms));
      return { kind: 'bad', ingestionMs, entry: badRow(table, row, reason, thrown.message) };
    }
  }

  /** An ingestion time, of any zone. */
  function pastTime(text: string | null): number {
    const ms = timeOf(text, 'ingestion_timestamp');
    if (ms > nowMs() + MAX_AHEAD_MS) throw new RowFault('time', `ingestion_timestamp is ${ms}: in the future`);
    return ms;
  }

  /** The instant of a message. Of two, the later one when its first result is not before that, and else the first. */
  function instantOf({ local_ms, first_result_ms }: GoMessageRow): [instantMs: number, isFolded: boolean] {
    const [first, second] = local.instantsOf(pastTime(local_ms));
    if (first === undefined)
      throw new RowFault('local_time_gap', `ingestion_timestamp: the clocks of ${local.zone} left this time out`);
    if (second === undefined) return [first, false];
    const isSecond = first_result_ms !== null && second <= Number(first_result_ms) + CLOCK_SLACK_MS;
    return [isSecond ? second : first, true];
  }

  /**
   * The message with the addresses that its hash proves. Those of a row may be missing: rows are older than the
   * columns, and messages have no executor there. Then they are of the message's result, of another with this hash, or
   * a guess. Where none is right they are those of the rows, as the Go indexer tells them; a message without a result
   * waits for one.
   */
  function withAddresses(message: ReadMessage, ccvs: readonly Hex[], executor: Hex, hasResult = true): NewMessage {
    for (const addresses of candidates(message, ccvs, executor)) {
      const announced = announcedMessage({ ...message, ...addresses, ...NO_RESULT });
      if (announced.kind === 'rejected') continue;
      const { messageCCVAddresses, messageExecutorAddress } = announced.message;
      addressesByHash.set(message.ccvAndExecutorHash, { messageCCVAddresses, messageExecutorAddress });
      executors.add(messageExecutorAddress);
      return announced.message;
    }
    if (hasResult) return asWritten(message, { messageCCVAddresses: ccvs, messageExecutorAddress: executor });
    const found = `message has ${message.ccvAndExecutorHash}, its addresses give another`;
    throw new RowFault('addresses_unknown', found);
  }

  /** A message and its results share one body here: what a second row says otherwise has no place. */
  function asWritten({ messageId, encodedMessage }: ReadMessage, addresses: Addresses): NewMessage {
    const known = unproved.get(messageId) ?? addresses;
    const textOf = ({ messageCCVAddresses, messageExecutorAddress }: Addresses) =>
      [messageExecutorAddress, ...messageCCVAddresses].join();
    if (textOf(known) !== textOf(addresses))
      throw new RowFault('addresses_differ', `another row of the message has the addresses ${textOf(known)}`);
    unproved.set(messageId, addresses);
    return { messageId, encodedMessage, ...addresses, origin: null };
  }

  function* candidates(message: ReadMessage, ccvs: readonly Hex[], executor: Hex): Generator<Addresses, void, void> {
    yield { messageCCVAddresses: ccvs, messageExecutorAddress: executor };
    if (isWhole(ccvs, executor)) return;
    const known = addressesByHash.get(message.ccvAndExecutorHash);
    if (known) yield known;
    for (const each of executors) yield { messageCCVAddresses: ccvs, messageExecutorAddress: each };
  }

  return {
    message: (row) =>
      read('messages', row, () => {
        const status = STATUSES[row.status];
        if (status === undefined) throw new RowFault('status', `status is ${row.status}`);
        const [ingestionMs, isFolded] = instantOf(row);
        const own = addressList(row.ccvs);
        const ccvs = own.length > 0 ? own : addressList(row.result_ccvs ?? []);
        const executor = addressOf(row.result_executor ?? '');
        const record = withAddresses(readMessage(row), ccvs, executor, row.first_result_ms !== null);
        const firstMs = firstOf(ingestionMs, row.first_result_ms);
        const isCompleted = own.length === 0 && record.messageCCVAddresses.length > 0;
        return { kind: 'message', record, status, ingestionMs, firstMs, isFolded, isCompleted };
      }),
    result: (row) =>
      read('verifier_results', row, () => {
        const ingestionMs = pastTime(row.ingestion_ms);
        const message = readMessage(row);
        const own = addressList(row.ccvs);
        const executor = addressOf(row.executor);
        const { origin: _, ...body } = withAddresses(message, own, executor);
        const ccvData = new Uint8Array(row.ccv_data ?? []);
        if (isDiscoveryOnly(ccvData))
          throw new RowFault('discovery_only', 'ccv_data only announces the message: no chain takes it');
        const source = addressOf(row.verifier_source_address);
        const result: VerifierResult = {
          ...{ ...body, ccvData },
          attestationMs: timeOf(row.attestation_ms, 'attestation_timestamp'),
          // in the row's own spelling: two rows may differ in it alone, and stay two
          verifierSourceAddress: source,
          verifierDestAddress: addressOf(row.verifier_dest_address),
          verifierName: verifierNameOf(canonicalAddress(source)) ?? '',
        };
        const [messageMs] = row.local_ms === null ? [] : local.instantsOf(Number(row.local_ms));
        const firstMs = firstOf(ingestionMs, row.first_result_ms, messageMs);
        return {
          kind: 'verifierResult',
          record: result,
          ingestionMs,
          firstMs,
          isFolded: false,
          isCompleted: !isWhole(own, executor),
        };
      }),
    knowExecutors(more) {
      for (const each of more) if (isHex(each)) executors.add(addressOf(each));
    },
  };
}

type Addresses = Pick<NewMessage, 'messageCCVAddresses' | 'messageExecutorAddress'>;

/** The part of a claim that a message lacks. */
const NO_RESULT: Omit<Claim, keyof ReadMessage | keyof Addresses> = {
  ...{ ccvData: new Uint8Array(), attestationMs: 0 },
  ...{ verifierSourceAddress: '0x', verifierDestAddress: '0x' },
};

type ReadMessage = Pick<Claim, 'messageId' | 'encodedMessage' | 'ccvAndExecutorHash'>;

/** @throws RowFault, and the errors of the codec. */
function readMessage({
  message: json,
  message_id,
}: GoRow): Pick<Claim, 'messageId' | 'encodedMessage' | 'ccvAndExecutorHash'> {
  const message = messageFromJson(parseExactJson(json));
  const encodedMessage = encodeMessage(message);
  const messageId = computeMessageId(encodedMessage);
  if (messageId !== message_id.toLowerCase())
    throw new RowFault('message_id', `message_id is ${message_id}, the message has ${messageId}`);
  return { messageId, encodedMessage, ccvAndExecutorHash: message.ccvAndExecutorHash };
}

/** No message is without an executor, and few are without a CCV. */
function isWhole(ccvs: readonly Hex[], executor: Hex): boolean {
  return ccvs.length > 0 && executor !== '0x';
}

function addressOf(text: string): Hex {
  const hex = text === '' ? '0x' : text;
  if (!isHex(hex)) throw new RowFault('shape', `address: expected 0x and an even number of hex digits, found ${text}`);
  return hex.toLowerCase() as Hex;
}

function addressList(texts: readonly string[]): Hex[] {
  return texts.map(addressOf);
}

function timeOf(text: string | null, column: string): number {
  const ms = text === null ? Number.NaN : Number(text);
  if (!isTime(ms)) throw new RowFault('time', `${column}: expected a time since 1970, found ${text ?? 'none'}`);
  return ms;
}

function isTime(ms: number): boolean {
  return Number.isSafeInteger(ms) && ms >= 0;
}

/** Below every time of the message, also of a result that is still to come from a process with another clock. */
function firstOf(ingestionMs: number, firstResultMs: string | null, messageMs = ingestionMs): number {
  return Math.max(0, Math.min(ingestionMs, messageMs, Number(firstResultMs ?? ingestionMs)) - CLOCK_SLACK_MS);
}

/** A row as evidence. Its bytes are in the key: it may be written anew, and be as bad. */
function badRow(table: RecordTable, row: GoRow, reason: string, detail: string): QuarantineEntry {
  const { ctid, xmin, ...columns } = row;
  const raw = Buffer.from(JSON.stringify(columns, (_, value) => (isBuffer(value) ? bytesOf(value) : value)));
  const addresses = 'executor' in row ? `:${row.verifier_source_address}:${row.verifier_dest_address}` : '';
  const digest = createHash('sha256').update(raw).digest('hex').slice(0, 16);
  const messageId = row.message_id.toLowerCase();
  return {
    ...{ sourceId: GO_INDEXER_SOURCE, key: `${table}:${row.message_id}${addresses}:${digest}`, reason },
    messageId: isHex(messageId) && messageId.length === 66 ? messageId : null,
    ...boundedEvidence({ detail, raw: Uint8Array.from(raw) }),
  };
}

function isBuffer(value: unknown): value is { readonly data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value;
}

function bytesOf({ data }: { readonly data: readonly number[] }): string {
  return `0x${Buffer.from(data).toString('hex')}`;
}
