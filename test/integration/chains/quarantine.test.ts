import { describe, expect, it } from 'vitest';
import { QUARANTINE_REASONS } from '../../../src/chains/logs/quarantined-log.js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import { computeMessageId } from '../../../src/protocol/keccak.js';
import { encodeMessage } from '../../../src/protocol/message-codec.js';
import { chainFixture, message } from '../../support/chain/chain-fixture.js';
import {
  CCV,
  type EmittedLog,
  EXECUTOR,
  encodeMessageSentData,
  makeMessageLog,
} from '../../support/chain/log-emitter.js';
import { MemoryChainStore } from '../../support/chain/memory-chain-store.js';
import { processed, SOURCE, watch } from '../../support/chain/watch.js';
import { eventually } from '../../support/eventually.js';

const { chainOf, start } = chainFixture(4);

describe('a log that fails a check', () => {
  const good = makeMessageLog(SOURCE, 1);
  const OTHER: Hex = `0x${'11'.repeat(32)}`;
  const around = (encoded: Uint8Array, issuers: Hex[]): EmittedLog => ({
    topics: [good.topics[0], good.topics[1], good.topics[2], computeMessageId(encoded)],
    data: encodeMessageSentData(bytesToHex(encoded), issuers),
  });
  const encoded = encodeMessage(good.message);
  const wrong: Readonly<Record<string, EmittedLog>> = {
    abi: { topics: good.topics, data: good.data.slice(0, 300) as Hex },
    receipt_count: around(encoded, [CCV, EXECUTOR]),
    message_decode: around(encoded.subarray(0, 100), [CCV, EXECUTOR, CCV]),
    on_ramp: makeMessageLog(SOURCE, 1, { onRampAddress: OTHER }),
    sender: { topics: [good.topics[0], good.topics[1], OTHER, good.topics[3]], data: good.data },
    message_id: { topics: [good.topics[0], good.topics[1], good.topics[2], OTHER], data: good.data },
    dest_selector: { topics: [good.topics[0], OTHER, good.topics[2], good.topics[3]], data: good.data },
    ccv_and_executor_hash: makeMessageLog(SOURCE, 1, { ccvAndExecutorHash: OTHER }),
    source_selector: makeMessageLog(SOURCE, 1, { sourceChainSelector: 5n }),
  };

  it('promise 10: is quarantined with its reason, once, and the rest of its block goes on', async () => {
    const chain = await chainOf();
    // the emitter always has four topics, so that reason is left to the unit test
    const reasons = QUARANTINE_REASONS.filter((reason) => reason !== 'topic_count');
    await chain.block(message(1), ...reasons.map((reason) => wrong[reason]!), message(2));
    const head = await chain.head();
    const store = new MemoryChainStore();
    const first = watch({ urls: [chain.anvil.url], store });
    await processed(first, head);
    for (const reason of reasons) expect(await first.metric('indexer_source_quarantined_total', { reason })).toBe(1);
    const commits = store.commits.length;
    const looks = await first.metric('indexer_rpc_requests_total');
    await eventually('more looks', async () => (await first.metric('indexer_rpc_requests_total')) > looks + 10);
    expect(store.commits.length).toBe(commits);
    await first.stop();
    await chain.mine(200);
    const second = start(chain, store);
    await processed(second, head + 200);

    const hash = await chain.hashAt(head);
    expect(store.content().quarantine).toEqual(reasons.map((reason, index) => `${hash}:${index + 1} ${reason}`).sort());
    expect(
      store
        .content()
        .live.map((place) => place.slice(0, 66))
        .sort(),
    ).toEqual([message(1).messageId, message(2).messageId].sort());
  });
});
