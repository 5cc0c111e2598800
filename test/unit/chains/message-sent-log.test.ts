import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readMessageSentLog } from '../../../src/chains/logs/message-sent-log.js';
import { QUARANTINE_REASONS } from '../../../src/chains/logs/quarantined-log.js';
import type { RawLog } from '../../../src/chains/rpc/raw-log.js';
import { bytesToHex, type Hex, hexToBytes } from '../../../src/core/hex.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import { encodeMessage } from '../../../src/protocol/message-codec.js';
import {
  CCV,
  type EmittedLog,
  EXECUTOR,
  encodeMessageSentData,
  type MessageMaker,
  makeMessageLog,
} from '../../support/chain/log-emitter.js';

const maker: MessageMaker = {
  onRamp: '0xc5a5c42992decbae36851359345fe25997f5c42d',
  sourceSelector: 3379446385462418246n,
  destSelector: 12922642891491394802n,
};
const context = { selector: maker.sourceSelector };
const BLOCK_HASH: Hex = `0x${'ab'.repeat(32)}`;

function raw(log: Pick<EmittedLog, 'data'> & { readonly topics: readonly Hex[] }): RawLog {
  return {
    address: maker.onRamp,
    topics: log.topics,
    data: Buffer.from(log.data.slice(2), 'hex'),
    blockNumber: 7,
    blockHash: BLOCK_HASH,
    blockTimestampMs: null,
    transactionHash: `0x${'cd'.repeat(32)}`,
    logIndex: 3,
  };
}

function reasonOf(log: Pick<EmittedLog, 'data'> & { readonly topics: readonly Hex[] }): string {
  const reading = readMessageSentLog(raw(log), 1_000, context);
  return reading.kind === 'message' ? 'message' : reading.entry.reason;
}

const good = makeMessageLog(maker, 1);
const [topic0, destTopic, senderTopic, idTopic] = good.topics;
const OTHER: Hex = `0x${'11'.repeat(32)}`;

/** The event around other message bytes, its id topic right. */
const around = (encoded: Uint8Array, issuers: Hex[] = [CCV, EXECUTOR, CCV]) => ({
  topics: [topic0, destTopic, senderTopic, computeMessageId(encoded)],
  data: encodeMessageSentData(bytesToHex(encoded), issuers),
});

/** One log for each reason, wrong in that one thing only. */
const WRONG: Readonly<
  Record<(typeof QUARANTINE_REASONS)[number], { readonly topics: readonly Hex[]; readonly data: Hex }>
> = {
  topic_count: { topics: [topic0, destTopic, senderTopic], data: good.data },
  abi: { topics: good.topics, data: good.data.slice(0, 300) as Hex },
  receipt_count: around(encodeMessage(good.message), [CCV, EXECUTOR]),
  message_decode: around(encodeMessage(good.message).subarray(0, 100)),
  on_ramp: makeMessageLog(maker, 1, { onRampAddress: OTHER }),
  sender: { topics: [topic0, destTopic, OTHER, idTopic], data: good.data },
  message_id: { topics: [topic0, destTopic, senderTopic, OTHER], data: good.data },
  dest_selector: { topics: [topic0, OTHER, senderTopic, idTopic], data: good.data },
  ccv_and_executor_hash: makeMessageLog(maker, 1, { ccvAndExecutorHash: OTHER }),
  source_selector: makeMessageLog(maker, 1, { sourceChainSelector: 5n }),
};

describe('reading a CCIPMessageSent log', () => {
  const lane = JSON.parse(readFileSync(new URL('../../fixtures/lane.json', import.meta.url), 'utf8'));

  it.each(lane.messages as readonly { label: string }[])('takes the recorded message $label', (recorded) => {
    const { rawLog, event, split, blockHash } = recorded as unknown as {
      rawLog: { topics: Hex[]; data: Hex };
      event: { messageId: Hex; encodedMessage: Hex };
      split: { ccvAddresses: string[]; executorAddress: string };
      blockHash: Hex;
    };
    const reading = readMessageSentLog({ ...raw(rawLog), blockHash }, 5_000, context);
    expect(reading).toEqual({
      kind: 'message',
      message: {
        messageId: event.messageId,
        encodedMessage: new Uint8Array(hexToBytes(event.encodedMessage)),
        messageCCVAddresses: split.ccvAddresses.map((address) => address.toLowerCase()),
        messageExecutorAddress: split.executorAddress.toLowerCase(),
        origin: {
          blockNumber: 7n,
          blockHash,
          blockTimestampMs: 5_000,
          transactionHash: `0x${'cd'.repeat(32)}`,
          logIndex: 3,
        },
      },
    });
  });

  it.each(QUARANTINE_REASONS)('promise 10: quarantines what fails the check %s', (reason) => {
    expect(reasonOf(good)).toBe('message');
    expect(reasonOf(WRONG[reason])).toBe(reason);
  });

  it('names the first check that fails, in the order of the protocol', () => {
    const allWrong = makeMessageLog(maker, 1, {
      onRampAddress: OTHER,
      sender: OTHER,
      ccvAndExecutorHash: OTHER,
      sourceChainSelector: 5n,
    });
    const topics: Hex[] = [topic0, OTHER, senderTopic, OTHER];
    expect(reasonOf({ topics: topics.slice(0, 3), data: '0x' })).toBe('topic_count');
    expect(reasonOf({ topics, data: '0x' })).toBe('abi');
    expect(reasonOf({ ...around(encodeMessage(good.message).subarray(0, 9), [CCV]), topics })).toBe('receipt_count');
    expect(reasonOf({ ...around(encodeMessage(good.message).subarray(0, 9)), topics })).toBe('message_decode');
    expect(reasonOf({ data: allWrong.data, topics })).toBe('on_ramp');
    const wrongButOnRamp = makeMessageLog(maker, 1, {
      sender: OTHER,
      ccvAndExecutorHash: OTHER,
      sourceChainSelector: 5n,
    });
    expect(reasonOf({ data: wrongButOnRamp.data, topics })).toBe('sender');
    expect(reasonOf({ data: wrongButOnRamp.data, topics: [topic0, OTHER, OTHER, OTHER] })).toBe('message_id');
    expect(reasonOf({ data: wrongButOnRamp.data, topics: [topic0, OTHER, OTHER, wrongButOnRamp.messageId] })).toBe(
      'dest_selector',
    );
    expect(reasonOf({ ...wrongButOnRamp, topics: [topic0, destTopic, OTHER, wrongButOnRamp.messageId] })).toBe(
      'ccv_and_executor_hash',
    );
  });

  it('quarantines a message in the older layout with finality of 2 bytes', () => {
    const vectors = readFileSync(new URL('../../fixtures/vectors.json', import.meta.url), 'utf8');
    const old = /"encoded[A-Za-z]*": *"(0x01[0-9a-f]+)"/g;
    const refused = [...vectors.matchAll(old)].map(([, hex]) => reasonOf(around(hexToBytes(hex as Hex))));
    expect(refused).toContain('message_decode');
  });

  it('keeps the raw log, a key that names its place, and the id that it claims', () => {
    const reading = readMessageSentLog(raw(WRONG.message_id), 1_000, context);
    if (reading.kind !== 'quarantine') throw new Error('not quarantined');
    const { entry } = reading;
    expect(entry.key).toBe(`${BLOCK_HASH}:3`);
    expect(entry.messageId).toBe(OTHER);
    expect(entry.detail).toBe(`expected ${OTHER}, found ${good.messageId}`);
    expect(JSON.parse(Buffer.from(entry.raw).toString())).toEqual({
      address: maker.onRamp,
      topics: WRONG.message_id.topics,
      data: good.data,
      blockNumber: 7,
      blockHash: BLOCK_HASH,
      transactionHash: `0x${'cd'.repeat(32)}`,
      logIndex: 3,
    });
  });

  it('does not keep the whole event in memory for a message', () => {
    const reading = readMessageSentLog(raw(good), 1_000, context);
    if (reading.kind !== 'message') throw new Error('quarantined');
    expect(reading.message.encodedMessage.buffer.byteLength).toBe(reading.message.encodedMessage.length);
  });
});
