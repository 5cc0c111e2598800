import type { Hex } from '../../../src/core/hex.js';
import type { NewMessage } from '../../../src/model/records.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import { decodeMessage, encodeMessage } from '../../../src/protocol/message-codec.js';

/** The largest number that a decimal of 38 digits holds. */
export const LARGEST_DECIMAL = 10n ** 38n - 1n;

/** The message that carries so much of a token, and is the same otherwise. */
export function withToken(
  message: NewMessage,
  token: { readonly amount: bigint; readonly source: Hex; readonly dest: Hex },
): NewMessage {
  const encodedMessage = encodeMessage({
    ...decodeMessage(message.encodedMessage),
    tokenTransfer: {
      ...{ version: 1, amount: token.amount, extraData: '0x' },
      ...{ sourceTokenAddress: token.source, sourcePoolAddress: token.source },
      ...{ destTokenAddress: token.dest, tokenReceiver: token.dest },
    },
  });
  return { ...message, encodedMessage, messageId: computeMessageId(encodedMessage) };
}
