import { MESSAGE_SENT_TOPIC } from '../../../src/chains/logs/message-sent-event.js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import { seededRandom } from '../../../src/core/random.js';
import { computeCCVAndExecutorHash } from '../../../src/protocol/ccv-and-executor-hash.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import type { Message, TokenTransfer } from '../../../src/protocol/message.js';
import { encodeMessage } from '../../../src/protocol/message-codec.js';
import {
  CCV,
  type EmittedLog,
  EXECUTOR,
  encodeMessageSentData,
  padded,
  ROUTER,
  word,
} from '../../../test/support/chain/log-emitter.js';

/** Where the log emitter stands in for the OnRamp. */
export const ON_RAMP: Hex = '0xc5a5c42992decbae36851359345fe25997f5c42d';
export const SOURCE_SELECTOR = 3_379_446_385_462_418_246n;
const DEST_SELECTOR = 12_922_642_891_491_394_802n;
const SECOND_CCV: Hex = '0x59b670e9fa9d0a427751af201d676719a970857b';
const POOL: Hex = '0x9a676e781a523b5d0c0e43731313a708cb607508';
const TOKEN: Hex = '0xdc64a140aa3e981100a9beca4e685f962f0cf6c9';
const RECEIVER: Hex = '0x70e0ba845a1a0f2da3359c97e0285013525ffc49';

/**
 * Makes events as the real OnRamp emits them, which pass every check: mostly messages of up to 256 bytes, one in four
 * with tokens, one in five with two CCVs.
 */
export function createEventMaker(seed: number): () => EmittedLog {
  const random = seededRandom(seed);
  let messageNumber = 0n;
  const bytes = (length: number): Hex => bytesToHex(Uint8Array.from({ length }, () => random() * 256));

  return () => {
    messageNumber += 1n;
    const ccvs = messageNumber % 5n === 0n ? [CCV, SECOND_CCV] : [CCV];
    const hasToken = messageNumber % 4n === 0n;
    const sender = padded(bytes(20));
    const message: Message = {
      version: 1,
      sourceChainSelector: SOURCE_SELECTOR,
      destChainSelector: DEST_SELECTOR,
      messageNumber,
      executionGasLimit: 410_257,
      ccipReceiveGasLimit: 200_000,
      finality: 0,
      ccvAndExecutorHash: computeCCVAndExecutorHash(ccvs, EXECUTOR),
      onRampAddress: padded(ON_RAMP),
      offRampAddress: '0xa82ff9afd8f496c3d6ac40e2a0f282e47488cfc9',
      sender,
      receiver: RECEIVER,
      destBlob: '0x',
      tokenTransfer: hasToken ? tokenTransfer(messageNumber) : null,
      data: bytes(Math.floor(random() * 256)),
    };
    const encoded = encodeMessage(message);
    return {
      topics: [MESSAGE_SENT_TOPIC, word(DEST_SELECTOR), sender, computeMessageId(encoded)],
      data: encodeMessageSentData(
        bytesToHex(encoded),
        [...ccvs, ...(hasToken ? [POOL] : []), EXECUTOR, ROUTER],
        ccvs.length,
      ),
    };
  };
}

function tokenTransfer(messageNumber: bigint): TokenTransfer {
  return {
    version: 1,
    amount: 10n ** 18n + messageNumber,
    sourcePoolAddress: padded(POOL),
    sourceTokenAddress: padded(TOKEN),
    destTokenAddress: TOKEN,
    tokenReceiver: RECEIVER,
    extraData: word(18n),
  };
}
