import { seededRandom } from '../../../src/core/random.js';
import type { Change, ChangeSet } from '../../../src/model/batch.js';
import type { StoredVerifierResult, VerifierResult } from '../../../src/model/records.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import { createRecordMaker, SELECTORS } from '../../../test/support/records.js';
import { PAYLOAD_BYTES, PROOF_BYTES } from './records.js';

/**
 * The data of a message. `abi`: a batch of payments as contracts encode it, `(recipient, token, amount)[]`, with the
 * padding of this encoding. `random`: bytes that nothing can compress, as in the other benchmarks.
 */
export type PayloadKind = 'abi' | 'random';

/** Changes of ever new verifier results of `PAYLOAD_BYTES`, each of a message of its own, as a follower gets them. */
export interface RecordStream {
  /** The next `count` records (whole commits), which are the head: nothing more is known to come. */
  take(count: number): ChangeSet;
}

/** Records of one commit. */
const COMMIT_RECORDS = 50;
/** Between two commits: 50 records a second. */
const COMMIT_INTERVAL_MS = 1_000;
const FIRST_COMMIT_MS = 1_760_000_000_000;

/** Where the fields of an encoded message are (`src/protocol/README.md`), with the lengths that the templates have. */
const MESSAGE_NUMBER_AT = 17;
const ON_RAMP_AT = 70;
const OFF_RAMP_AT = ON_RAMP_AT + 32 + 1;
const SENDER_AT = OFF_RAMP_AT + 20 + 1;
const RECEIVER_AT = SENDER_AT + 32 + 1;
const DATA_AT = RECEIVER_AT + 20 + 2 + 2 + 2;
const ADDRESS_BYTES = 20;
const WORD_BYTES = 32;

const DATA_BYTES = PAYLOAD_BYTES - PROOF_BYTES - DATA_AT;
const VERSION_TAG_BYTES = 4;
/** Of the signatures that follow, two bytes. */
const PROOF_LENGTH = [0, PROOF_BYTES - VERSION_TAG_BYTES - 2];
const PROOF_HEAD_BYTES = VERSION_TAG_BYTES + PROOF_LENGTH.length;
const ITEM_BYTES = 3 * WORD_BYTES;
/** Offset and length of the array come first. */
const ITEMS_AT = 2 * WORD_BYTES;
const ITEMS = Math.floor((DATA_BYTES - ITEMS_AT) / ITEM_BYTES);
/** Bytes of an amount with 18 decimals. */
const AMOUNT_BYTES = 8;
const TOKENS = 8;

const LANES = [
  { sourceChainSelector: SELECTORS.low, destChainSelector: SELECTORS.high },
  { sourceChainSelector: SELECTORS.low, destChainSelector: SELECTORS.mid },
  { sourceChainSelector: SELECTORS.mid, destChainSelector: SELECTORS.low },
  { sourceChainSelector: SELECTORS.high, destChainSelector: SELECTORS.low },
] as const;

/**
 * The same seed and kind give the same records, however they are taken. About 20 microseconds a record: a template for
 * each lane is filled in, since encoding a million messages anew would take longer than storing them.
 */
export function createRecordStream({
  seed,
  payload,
}: {
  readonly seed: number;
  readonly payload: PayloadKind;
}): RecordStream {
  const random = seededRandom(seed);
  const scramble = (bytes: Uint8Array, at: number, length: number) => {
    let word = 0;
    for (let i = 0; i < length; i += 1) {
      if ((i & 3) === 0) word = (random() * 4_294_967_296) >>> 0;
      bytes[at + i] = word >>> ((i & 3) * 8);
    }
  };
  const maker = createRecordMaker(seed);
  const tokens = Array.from({ length: TOKENS }, () => maker.bytes(ADDRESS_BYTES));
  const templates = LANES.map((lane) => {
    const message = maker.message({
      ...lane,
      dataBytes: DATA_BYTES,
      onRamp: `0x${'00'.repeat(12)}${maker.hex(20).slice(2)}`,
    });
    if (payload === 'abi') layOutPayments(message.encodedMessage.subarray(DATA_AT));
    return maker.result(message, 0, { ccvDataBytes: PROOF_BYTES });
  });
  let made = 0;

  function fillIn(encoded: Uint8Array, number: number): void {
    new DataView(encoded.buffer, encoded.byteOffset).setBigUint64(MESSAGE_NUMBER_AT, BigInt(number));
    scramble(encoded, SENDER_AT + WORD_BYTES - ADDRESS_BYTES, ADDRESS_BYTES);
    scramble(encoded, RECEIVER_AT, ADDRESS_BYTES);
    if (payload === 'random') scramble(encoded, DATA_AT, DATA_BYTES);
    else fillInPayments(encoded);
  }

  function fillInPayments(encoded: Uint8Array): void {
    for (let item = 0; item < ITEMS; item += 1) {
      const at = DATA_AT + ITEMS_AT + item * ITEM_BYTES;
      scramble(encoded, at + WORD_BYTES - ADDRESS_BYTES, ADDRESS_BYTES);
      encoded.set(tokens[Math.floor(random() * TOKENS)]!, at + 2 * WORD_BYTES - ADDRESS_BYTES);
      scramble(encoded, at + ITEM_BYTES - AMOUNT_BYTES, AMOUNT_BYTES);
    }
  }

  function next(): StoredVerifierResult {
    const template = templates[made % templates.length]!;
    const ingestionMs = FIRST_COMMIT_MS + Math.floor(made / COMMIT_RECORDS) * COMMIT_INTERVAL_MS;
    made += 1;
    // `slice` would share the bytes: the codec gives a Buffer
    const encodedMessage = new Uint8Array(template.encodedMessage);
    fillIn(encodedMessage, made);
    const ccvData = new Uint8Array(template.ccvData);
    ccvData.set(PROOF_LENGTH, VERSION_TAG_BYTES);
    scramble(ccvData, PROOF_HEAD_BYTES, PROOF_BYTES - PROOF_HEAD_BYTES);
    const result: VerifierResult = {
      ...template,
      messageId: computeMessageId(encodedMessage),
      encodedMessage,
      ccvData,
      attestationMs: ingestionMs - Math.floor(random() * 60_000),
    };
    return { ...result, ingestionMs, position: BigInt(made), firstMs: ingestionMs, orphaned: false, verdict: null };
  }

  return {
    take(count) {
      if (count % COMMIT_RECORDS !== 0) throw new Error(`${count} records are not whole commits of ${COMMIT_RECORDS}`);
      const afterPosition = BigInt(made);
      const records = Array.from({ length: count }, next);
      const headMs = records.at(-1)?.ingestionMs ?? -1;
      const headPosition = BigInt(made);
      const changes = records.map((record): Change => ({ kind: 'verifierResult', position: record.position, record }));
      const span = { afterPosition, throughPosition: headPosition, headPosition };
      return { ...span, headMs, headMovePosition: 0n, readMs: headMs, changes };
    },
  };
}

/** Bytes of a payload that are random, and so stay whatever compresses it. */
export function randomBytesOf(payload: PayloadKind): number {
  const inData = payload === 'random' ? DATA_BYTES : ITEMS * (ADDRESS_BYTES + AMOUNT_BYTES);
  return 2 * ADDRESS_BYTES + inData + PROOF_BYTES - PROOF_HEAD_BYTES;
}

/** The part that all batches of payments share: zeroes, the offset of the array, its length. */
function layOutPayments(data: Uint8Array): void {
  data.fill(0);
  data[WORD_BYTES - 1] = WORD_BYTES;
  data[2 * WORD_BYTES - 1] = ITEMS;
}
