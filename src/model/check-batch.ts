import { InvalidArgumentError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import { EXECUTION_STATES, SIGNATURE_VERDICTS } from '../protocol/records.js';
import type { WriteBatch } from './batch.js';
import type { Execution, LogPlace, NewMessage, QuarantineEntry, SourceCursor, VerifierResult } from './records.js';
import { isMessageStatus, MESSAGE_STATUSES } from './status.js';

const LOWER_HEX = /^0x(?:[0-9a-f]{2})*$/;
/** Characters that some backends cannot hold in a text: NUL, and halves of surrogate pairs. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;
const MESSAGE_MIN_BYTES = 79;
const MAX_ADDRESS_BYTES = 255;
const MAX_CCVS = 255;
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;
const MAX_INT32 = 2 ** 31 - 1;

/** The bad field and the value to pass instead; null: none is bad. Only a failing check builds a text. */
type Fault = string | null;

/**
 * Checks the shape of everything in a batch before any of it is stored.
 * @throws InvalidArgumentError with the path of the first bad field and the value to pass instead.
 */
export function checkBatch(batch: WriteBatch): void {
  checkEach(
    batch.orphanings,
    'orphanings',
    (each) => idFault(each.messageId, 'messageId') ?? idFault(each.blockHash, 'blockHash'),
  );
  checkEach(
    batch.messages,
    'messages',
    (each) => bodyFault(each) ?? (each.origin && placeFault(each.origin, 'origin')),
  );
  checkEach(batch.verifierResults, 'verifierResults', resultFault);
  checkEach(
    batch.executionOrphanings,
    'executionOrphanings',
    (each) =>
      idFault(each.messageId, 'messageId') ??
      idFault(each.blockHash, 'blockHash') ??
      countFault(each.logIndex, 'logIndex', MAX_INT32, 'numbers'),
  );
  checkEach(batch.executions, 'executions', executionFault);
  checkEach(batch.statuses, 'statuses', (each) =>
    isMessageStatus(each.status)
      ? idFault(each.messageId, 'messageId')
      : `status is ${each.status}: pass one of ${MESSAGE_STATUSES.join(', ')}`,
  );
  checkEach(batch.quarantine, 'quarantine', quarantineFault);
  checkEach(batch.cursors, 'cursors', (each) =>
    each.expectedHeight === null
      ? cursorFault(each)
      : (int64Fault(each.expectedHeight, 'expectedHeight') ?? cursorFault(each)),
  );
}

/** @throws InvalidArgumentError unless `messageId` is 32 bytes of lower-case hex. */
export function checkId(messageId: Hex, path: string): void {
  const fault = idFault(messageId, path);
  if (fault !== null) throw new InvalidArgumentError(fault);
}

/** @throws InvalidArgumentError unless `hash` is lower-case hex, as the place of a log has it. */
export function checkTransactionHash(hash: Hex): void {
  const fault = addressFault(hash, 'transactionHash');
  if (fault !== null) throw new InvalidArgumentError(fault);
}

function checkEach<T>(records: readonly T[] | undefined, name: string, faultOf: (record: T) => Fault): void {
  if (records === undefined) return;
  for (const [index, record] of records.entries()) {
    const fault = faultOf(record);
    if (fault !== null) fail(`${name}[${index}]`, fault);
  }
}

function fail(path: string, fault: Fault): void {
  if (fault !== null) throw new InvalidArgumentError(`${path}.${fault}`);
}

function resultFault(result: VerifierResult): Fault {
  if (!(result.ccvData instanceof Uint8Array)) return 'ccvData must be a Uint8Array';
  return (
    bodyFault(result) ??
    addressFault(result.verifierSourceAddress, 'verifierSourceAddress') ??
    addressFault(result.verifierDestAddress, 'verifierDestAddress') ??
    countFault(result.attestationMs, 'attestationMs', Number.MAX_SAFE_INTEGER, 'unix milliseconds') ??
    textFault(result.verifierName, 'verifierName') ??
    verdictFault(result.verdict)
  );
}

function verdictFault(given: VerifierResult['verdict']): Fault {
  if (given == null) return null;
  if (!SIGNATURE_VERDICTS.includes(given.verdict))
    return `verdict.verdict is ${given.verdict}: pass one of ${SIGNATURE_VERDICTS.join(', ')}`;
  return int64Fault(given.configBlock, 'verdict.configBlock');
}

function executionFault(execution: Execution): Fault {
  const { state, returnData } = execution;
  if (!(returnData instanceof Uint8Array)) return 'returnData must be a Uint8Array';
  if (!EXECUTION_STATES.includes(state)) return `state is ${state}: pass one of ${EXECUTION_STATES.join(', ')}`;
  return (
    idFault(execution.messageId, 'messageId') ??
    uint64Fault(execution.sourceChainSelector, 'sourceChainSelector') ??
    uint64Fault(execution.destChainSelector, 'destChainSelector') ??
    uint64Fault(execution.messageNumber, 'messageNumber') ??
    addressFault(execution.offRamp, 'offRamp') ??
    placeFault(execution.place, 'place')
  );
}

function bodyFault(body: Omit<NewMessage, 'origin'>): Fault {
  const { encodedMessage, messageCCVAddresses: ccvs } = body;
  if (!(encodedMessage instanceof Uint8Array)) return 'encodedMessage must be a Uint8Array';
  if (encodedMessage.length < MESSAGE_MIN_BYTES)
    return `encodedMessage has ${encodedMessage.length} bytes: a message has at least ${MESSAGE_MIN_BYTES}`;
  if (ccvs.length > MAX_CCVS) return `messageCCVAddresses has ${ccvs.length} entries: at most ${MAX_CCVS}`;
  for (const [index, address] of ccvs.entries())
    if (!isAddress(address)) return addressFault(address, `messageCCVAddresses[${index}]`);
  return idFault(body.messageId, 'messageId') ?? addressFault(body.messageExecutorAddress, 'messageExecutorAddress');
}

function placeFault(place: LogPlace, path: 'origin' | 'place'): Fault {
  return (
    int64Fault(place.blockNumber, `${path}.blockNumber`) ??
    idFault(place.blockHash, `${path}.blockHash`) ??
    addressFault(place.transactionHash, `${path}.transactionHash`) ??
    countFault(place.blockTimestampMs, `${path}.blockTimestampMs`, Number.MAX_SAFE_INTEGER, 'unix milliseconds') ??
    countFault(place.logIndex, `${path}.logIndex`, MAX_INT32, 'numbers')
  );
}

function quarantineFault(entry: QuarantineEntry): Fault {
  if (!(entry.raw instanceof Uint8Array)) return 'raw must be a Uint8Array';
  return (
    nameFault(entry.sourceId, 'sourceId') ??
    nameFault(entry.key, 'key') ??
    nameFault(entry.reason, 'reason') ??
    textFault(entry.detail, 'detail') ??
    (entry.messageId === null ? null : idFault(entry.messageId, 'messageId'))
  );
}

function cursorFault(cursor: SourceCursor): Fault {
  return (
    nameFault(cursor.sourceId, 'sourceId') ??
    int64Fault(cursor.height, 'height') ??
    (cursor.hash === null ? null : addressFault(cursor.hash, 'hash'))
  );
}

function idFault(id: Hex, field: string): Fault {
  return typeof id === 'string' && id.length === 66 && LOWER_HEX.test(id)
    ? null
    : `${field} must be 0x and 64 lower-case hex digits`;
}

function isAddress(address: Hex): boolean {
  return typeof address === 'string' && address.length <= 2 + 2 * MAX_ADDRESS_BYTES && LOWER_HEX.test(address);
}

function addressFault(address: Hex, field: string): Fault {
  return isAddress(address) ? null : `${field} must be lower-case hex of 0 to ${MAX_ADDRESS_BYTES} bytes`;
}

function nameFault(name: string, field: string): Fault {
  return name === '' ? `${field} is empty` : textFault(name, field);
}

function textFault(text: string, field: string): Fault {
  return typeof text === 'string' && !UNSTORABLE.test(text)
    ? null
    : `${field} must be text without NUL and without halves of surrogate pairs`;
}

function int64Fault(value: bigint, field: string): Fault {
  return typeof value === 'bigint' && value >= 0n && value <= MAX_INT64
    ? null
    : `${field} is ${value}: pass a bigint from 0 to 2^63 - 1`;
}

function uint64Fault(value: bigint, field: string): Fault {
  return typeof value === 'bigint' && value >= 0n && value <= MAX_UINT64
    ? null
    : `${field} is ${value}: pass a bigint from 0 to 2^64 - 1`;
}

function countFault(value: number, field: string, most: number, what: string): Fault {
  return Number.isSafeInteger(value) && value >= 0 && value <= most
    ? null
    : `${field} is ${value}: pass whole ${what} from 0 to ${most}`;
}
