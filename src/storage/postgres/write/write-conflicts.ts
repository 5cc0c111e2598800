import type { Hex } from '../../../core/hex.js';
import { messagePayloadHash, verifierResultPayloadHash } from '../../../model/payload.js';
import type { Conflict } from '../../../model/records.js';
import type { PreparedMessage, PreparedResult } from './prepared-batch.js';
import { contentOf, type WriteState } from './write-state.js';

/** What was received, against what the state has of its id: the body, which must have been read, and the result if there is one. */
export function describeConflict(received: PreparedMessage | PreparedResult, state: WriteState): Conflict {
  const messageId = receivedId(received);
  const stored = contentOf(state.bodies.get(messageId));
  if (!('result' in received))
    return {
      record: 'message',
      messageId,
      verifierSourceAddress: '0x',
      verifierDestAddress: '0x',
      storedHash: messagePayloadHash({ messageId, ...stored }),
      receivedHash: messagePayloadHash({ messageId, ...received.body.content }),
    };
  const { key, result } = received;
  const existing = state.results.get(key);
  return {
    record: 'verifierResult',
    messageId,
    verifierSourceAddress: result.verifierSourceAddress,
    verifierDestAddress: result.verifierDestAddress,
    storedHash: existing
      ? verifierResultPayloadHash({ ...existing.result, ...stored })
      : messagePayloadHash({ messageId, ...stored }),
    receivedHash: verifierResultPayloadHash(result),
  };
}

/** The id that something received is about. */
export function receivedId(received: PreparedMessage | PreparedResult): Hex {
  return 'result' in received ? received.result.messageId : received.messageId;
}
