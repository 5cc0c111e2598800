import type { Hex } from '../../src/core/hex.js';
import { bytesToHex } from '../../src/core/hex.js';
import { type Random, seededRandom } from '../../src/core/random.js';
import { readLane } from '../../src/model/payload.js';
import type {
  Execution,
  MessageOrigin,
  NewMessage,
  SignatureVerdict,
  VerifierResult,
} from '../../src/model/records.js';
import { computeCCVAndExecutorHash } from '../../src/protocol/ccv-and-executor-hash.js';
import { computeMessageId } from '../../src/protocol/keccak.js';
import type { Lane, Message } from '../../src/protocol/message.js';
import { encodeMessage } from '../../src/protocol/message-codec.js';
import { EXECUTION_STATES, SIGNATURE_VERDICTS } from '../../src/protocol/records.js';

/** Real chain selectors; the last two lie above 2^63. */
export const SELECTORS = {
  low: 3379446385462418246n,
  mid: 5009297550715157269n,
  high: 14767482510784806043n,
  max: 2n ** 64n - 1n,
} as const;

/** What a test may decide about a message; the rest is made up, realistic and from the seed. */
export interface MessageWish extends Partial<Lane> {
  /** 32 bytes. */
  readonly onRamp?: Hex;
  readonly dataBytes?: number;
  readonly sender?: Hex;
  readonly receiver?: Hex;
  /** A transfer of this token of the source chain. */
  readonly token?: Hex;
  readonly messageNumber?: bigint;
  readonly ccvs?: readonly Hex[];
  readonly executor?: Hex;
  readonly origin?: MessageOrigin | null;
}

/** What a test may decide about a verifier result. */
export interface ResultWish {
  readonly source?: Hex;
  readonly dest?: Hex;
  readonly ccvData?: Uint8Array;
  readonly ccvDataBytes?: number;
  readonly attestationMs?: number;
  readonly verifierName?: string;
}

/** Makes records that no two calls repeat. The same seed makes the same records. */
export interface RecordMaker {
  readonly random: Random;
  bytes(length: number): Uint8Array;
  hex(length: number): Hex;
  message(wish?: MessageWish): NewMessage;
  /** A result of the message's CCV number `ccv` (default 0). */
  result(message: NewMessage, ccv?: number, wish?: ResultWish): VerifierResult;
  /** One result for each of `count` new messages. */
  results(count: number, wish?: MessageWish & ResultWish): VerifierResult[];
  origin(blockNumber: bigint, logIndex?: number): MessageOrigin;
  /** A change of the message's state in a block of its destination chain. */
  execution(message: NewMessage, wish?: Partial<Execution> & { readonly blockNumber?: bigint }): Execution;
}

function transferOf(sourceTokenAddress: Hex): Message['tokenTransfer'] {
  return {
    version: 1,
    amount: 2n ** 200n + 1n,
    sourcePoolAddress: '0x0102',
    sourceTokenAddress,
    destTokenAddress: '0x03',
    tokenReceiver: '0x',
    extraData: '0x04',
  };
}

const VERSION_TAG = [0xe9, 0xa0, 0x5a, 0x20];

/** `judged` false: results as verifiers give them, without verdicts. */
export function createRecordMaker(seed: number, { judged: isJudged = true } = {}): RecordMaker {
  const random = seededRandom(seed);
  let messageNumber = 0n;
  let logIndex = 0;
  let judged = 0;

  function bytes(length: number): Uint8Array {
    const made = new Uint8Array(length);
    for (let i = 0; i < length; i += 1) made[i] = random() * 256;
    return made;
  }
  const hex = (length: number): Hex => bytesToHex(bytes(length));
  const padded = (): Hex => `0x${'00'.repeat(12)}${hex(20).slice(2)}`;
  const defaults = { ccvs: [hex(20), hex(20), hex(20)], executor: hex(20), onRamp: padded(), offRamp: hex(20) };

  function origin(blockNumber: bigint, index?: number): MessageOrigin {
    logIndex += 1;
    return {
      blockNumber,
      blockHash: hex(32),
      blockTimestampMs: 1_760_000_000_000 + Number(blockNumber % 1_000_000n) * 12_000,
      transactionHash: hex(32),
      logIndex: index ?? logIndex,
    };
  }

  function message(wish: MessageWish = {}): NewMessage {
    messageNumber += 1n;
    const ccvs = wish.ccvs ?? defaults.ccvs.slice(0, 1);
    const executor = wish.executor ?? defaults.executor;
    const encodedMessage = encodeMessage(value(wish, ccvs, executor));
    return {
      messageId: computeMessageId(encodedMessage),
      encodedMessage,
      messageCCVAddresses: ccvs,
      messageExecutorAddress: executor,
      origin: wish.origin === undefined ? origin(messageNumber) : wish.origin,
    };
  }

  function value(wish: MessageWish, ccvs: readonly Hex[], executor: Hex): Message {
    const hashable = ccvs.every((ccv) => ccv.length === executor.length);
    return {
      version: 1,
      sourceChainSelector: wish.sourceChainSelector ?? SELECTORS.low,
      destChainSelector: wish.destChainSelector ?? SELECTORS.high,
      messageNumber: wish.messageNumber ?? messageNumber,
      executionGasLimit: 200_000,
      ccipReceiveGasLimit: 100_000,
      finality: 0,
      ccvAndExecutorHash: hashable ? computeCCVAndExecutorHash(ccvs, executor) : hex(32),
      onRampAddress: wish.onRamp ?? defaults.onRamp,
      offRampAddress: defaults.offRamp,
      sender: wish.sender ?? padded(),
      receiver: wish.receiver ?? hex(20),
      destBlob: '0x',
      tokenTransfer: wish.token === undefined ? null : transferOf(wish.token),
      data: hex(wish.dataBytes ?? 32),
    };
  }

  function result(of: NewMessage, ccv = 0, wish: ResultWish = {}): VerifierResult {
    return {
      messageId: of.messageId,
      verifierSourceAddress: wish.source ?? of.messageCCVAddresses[ccv] ?? hex(20),
      verifierDestAddress: wish.dest ?? hex(20),
      encodedMessage: of.encodedMessage,
      messageCCVAddresses: of.messageCCVAddresses,
      messageExecutorAddress: of.messageExecutorAddress,
      ccvData: wish.ccvData ?? Uint8Array.from([...VERSION_TAG, ...bytes((wish.ccvDataBytes ?? 134) - 4)]),
      attestationMs: wish.attestationMs ?? 1_760_000_000_000 + Math.floor(random() * 1e9),
      verifierName: wish.verifierName ?? 'committee-a',
      ...(isJudged && { verdict: nextVerdict() }),
    };
  }

  /** Of every second result none. */
  function nextVerdict(): SignatureVerdict | null {
    judged += 1;
    const verdict = SIGNATURE_VERDICTS[(judged >> 1) % SIGNATURE_VERDICTS.length];
    return verdict === undefined || judged % 2 === 0 ? null : { verdict, configBlock: BigInt(judged) };
  }

  const results = (count: number, wish: MessageWish & ResultWish = {}): VerifierResult[] =>
    Array.from({ length: count }, () => result(message(wish), 0, wish));

  function execution(of: NewMessage, wish: Partial<Execution> & { readonly blockNumber?: bigint } = {}): Execution {
    const { blockNumber = 1000n, ...fields } = wish;
    return {
      messageId: of.messageId,
      ...readLane(of.encodedMessage),
      messageNumber: Buffer.from(of.encodedMessage).readBigUInt64BE(17),
      offRamp: defaults.offRamp,
      state: EXECUTION_STATES[1 + Math.floor(random() * 3)] ?? 'success',
      returnData: bytes(Math.floor(random() * 40)),
      place: origin(blockNumber),
      ...fields,
    };
  }

  return { random, bytes, hex, message, result, results, origin, execution };
}
