import { describe, expect, it } from 'vitest';
import type { AggregatorServer } from '../../../scripts/devnet/aggregator/aggregator-server.js';
import { type Clock, systemClock } from '../../../src/core/clock.js';
import { createCommon } from '../../../src/core/common.js';
import type { Hex } from '../../../src/core/hex.js';
import type { VerifierResult } from '../../../src/model/records.js';
import { CommitteeUnreadableError } from '../../../src/protocol/committee-reading.js';
import { readProtobufClaim } from '../../../src/verifiers/aggregator/client/protobuf-claim.js';
import type { JudgedResult } from '../../../src/verifiers/signature-check.js';
import {
  cursorOf,
  messagesOf,
  openDiscovery,
  publishAll,
  resultsOf,
  SOURCE,
  untilRead,
} from '../../support/discovery/discovery.js';
import { eventually } from '../../support/eventually.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(19);
const unreadable = new CommitteeUnreadableError('dest', 'away');

/** A judge that cannot judge some messages, and refuses others. */
function judgeOf(away: Set<Hex>, wrong: Set<Hex>) {
  return async (result: VerifierResult): Promise<JudgedResult> => {
    if (away.has(result.messageId)) return { kind: 'unjudged', error: unreadable };
    if (!wrong.has(result.messageId)) return { kind: 'taken', result };
    return { kind: 'refused', reason: 'signatures', detail: 'ccv_data: of strangers' };
  };
}

const entriesWith = (judge: (result: VerifierResult) => Promise<JudgedResult>) => ({
  ...{ readClaim: readProtobufClaim, verifierNameOf: () => null, judge },
});

describe('discovery of results whose signatures are required', () => {
  it('promise 1: does not pass an entry that cannot be judged, shows what is around it, and goes on once it can', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const results = make.results(6);
    const [, , waiting, , bad] = results as VerifierResult[] as [VerifierResult, ...VerifierResult[]];
    const away = new Set([waiting!.messageId]);
    publishAll(aggregator, results);
    const running = start({ entries: entriesWith(judgeOf(away, new Set([bad!.messageId]))) });
    await eventually('it waits', () => running.status().state === 'held');
    await untilRead(storage, 2n);
    expect(await messagesOf(storage)).toBe(6);
    expect(await resultsOf(storage)).toBe(4);
    expect(running.status().lastError).toMatchObject({ code: 'COMMITTEE_UNREADABLE' });
    away.clear();
    await untilRead(storage, 6n);
    await eventually('it reads', () => running.status().state === 'reading');
    expect(running.status().lastError).toBe(null);
    expect(await resultsOf(storage)).toBe(5);
    const quarantined = await storage.queryQuarantine({ afterPosition: 0n, limit: 10 });
    expect(quarantined).toMatchObject([{ sourceId: SOURCE, reason: 'signatures', messageId: bad!.messageId }]);
    expect(Buffer.compare(quarantined[0]!.raw, bad!.ccvData)).toBe(0);
  });

  it('promise 1: forgets no gap with an entry that cannot be judged', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const [first, late, last] = make.results(3) as [VerifierResult, VerifierResult, VerifierResult];
    const away = new Set([late.messageId]);
    aggregator.publish(first);
    const drawn = aggregator.draw(late);
    aggregator.publish(last);
    let skippedMs = 0;
    const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + skippedMs };
    const entries = entriesWith(judgeOf(away, new Set()));
    const running = start({ entries, overlapMs: 60_000, common: createCommon({ clock }) });
    await untilRead(storage, 3n);
    drawn.commit();
    await eventually('it waits', () => running.status().state === 'held');
    const asked = aggregator.requests.length;
    skippedMs += 600_000;
    await eventually('it asks again', () => aggregator.requests.length > asked + 3);
    expect(await resultsOf(storage)).toBe(2);
    away.clear();
    await eventually('the late result is there', async () => (await resultsOf(storage)) === 3);
    expect(await cursorOf(storage)).toBe(3n);
  });
});
