import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import { seededRandom } from '../../../src/core/random.js';
import type { Change, ChangeSet } from '../../../src/model/batch.js';
import { readContents } from '../../../src/model/contents-filter.js';
import type { StoredMessage } from '../../../src/model/records.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import type { Lane } from '../../../src/protocol/message.js';
import { createRecordMaker, SELECTORS } from '../../../test/support/records.js';
import { startProgress } from '../progress.js';

/** Records of one commit; between two commits lies a second. */
const COMMIT_MESSAGES = 50;
const COMMIT_INTERVAL_MS = 1_000;
/** Records of a set that a storage is given at once. */
const SET_MESSAGES = 1_000;
/** Addresses that share what the popular and the rare one leave. */
const OTHER_ADDRESSES = 1_000;
const POPULAR_SHARE = 0.1;
/** Messages of a rare address, and of a rare status, however many messages there are. */
const RARE_MESSAGES = 10;
const MESSAGE_NUMBER_AT = 17;

const LANES: readonly Lane[] = [
  { sourceChainSelector: SELECTORS.low, destChainSelector: SELECTORS.high },
  { sourceChainSelector: SELECTORS.low, destChainSelector: SELECTORS.mid },
  { sourceChainSelector: SELECTORS.mid, destChainSelector: SELECTORS.low },
  { sourceChainSelector: SELECTORS.high, destChainSelector: SELECTORS.low },
];

/** An address of a tenth of all messages, and one of ten. */
export interface Asked {
  readonly popular: Hex;
  readonly rare: Hex;
}

/** The addresses of a fill that questions name. */
export interface AskedAddresses {
  readonly sender: Asked;
  readonly receiver: Asked;
  readonly token: Asked;
}

/**
 * Gives a storage messages on four lanes, as a follower gets them; the last one of now. Half transfer a token. All are
 * verified but ten.
 */
export async function fillMessages(wish: {
  readonly what: string;
  readonly messages: number;
  readonly apply: (set: ChangeSet) => Promise<void>;
}): Promise<AskedAddresses> {
  const { what, messages, apply } = wish;
  const maker = createRecordMaker(23);
  const random = seededRandom(24);
  const [senders, receivers, tokens] = [addresses(32), addresses(20), addresses(32)];
  const rareEvery = Math.floor(messages / RARE_MESSAGES);
  const firstMs = Date.now() - Math.ceil(messages / COMMIT_MESSAGES) * COMMIT_INTERVAL_MS;
  const templates = LANES.map((lane) => [
    maker.message({ ...lane, sender: senders[0]!, receiver: receivers[0]! }),
    maker.message({ ...lane, sender: senders[0]!, receiver: receivers[0]!, token: tokens[0]! }),
  ]);
  const progress = startProgress(`${what}: messages built`, messages);
  try {
    for (let made = 0; made < messages; ) {
      const changes: Change[] = [];
      for (const end = Math.min(messages, made + SET_MESSAGES); made < end; made += 1) changes.push(next(made));
      const headMs = changes.at(-1)?.kind === 'message' ? timeOf(made - 1) : -1;
      const span = { afterPosition: BigInt(made - changes.length), throughPosition: BigInt(made) };
      await apply({ ...span, headPosition: BigInt(made), headMs, headMovePosition: 0n, readMs: headMs, changes });
      progress.update(made);
    }
  } finally {
    progress.end();
  }
  return { sender: asked(senders), receiver: asked(receivers), token: asked(tokens) };

  function addresses(length: number): readonly Hex[] {
    return Array.from({ length: OTHER_ADDRESSES + 2 }, () => maker.hex(length));
  }

  function timeOf(index: number): number {
    return firstMs + Math.floor(index / COMMIT_MESSAGES) * COMMIT_INTERVAL_MS;
  }

  function pick(from: readonly Hex[], isRare: boolean): Uint8Array {
    const place = isRare ? 1 : random() < POPULAR_SHARE ? 0 : 2 + Math.floor(random() * OTHER_ADDRESSES);
    return Buffer.from(from[place]!.slice(2), 'hex');
  }

  function next(index: number): Change {
    const isRare = index % rareEvery === rareEvery >> 1;
    const hasToken = isRare || random() < 0.5;
    const template = templates[index % templates.length]![Number(hasToken)]!;
    const encodedMessage = new Uint8Array(template.encodedMessage);
    new DataView(encodedMessage.buffer).setBigUint64(MESSAGE_NUMBER_AT, BigInt(Math.floor(index / LANES.length) + 1));
    // views of the message's own bytes
    const { sender, receiver, token } = readContents(encodedMessage);
    sender.set(pick(senders, isRare));
    receiver.set(pick(receivers, isRare));
    token?.set(pick(tokens, isRare));
    const ingestionMs = timeOf(index);
    const record: StoredMessage = {
      ...template,
      encodedMessage,
      messageId: computeMessageId(encodedMessage),
      origin: { ...template.origin!, transactionHash: bytesToHex(maker.bytes(32)), logIndex: index % 1_000 },
      status: isRare ? 'processing' : 'success',
      ...{ ingestionMs, firstMs: ingestionMs, position: BigInt(index + 1), orphaned: false },
    };
    return { kind: 'message', position: record.position, record };
  }
}

function asked([popular, rare]: readonly Hex[]): Asked {
  return { popular: popular!, rare: rare! };
}
