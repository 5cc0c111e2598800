import { describe, expect, it } from 'vitest';
import type { AggregatorServer, Answer } from '../../../scripts/devnet/aggregator/aggregator-server.js';
import { decodeSince, encodePage, encodeResult } from '../../../scripts/devnet/aggregator/wire.js';
import { createCommon } from '../../../src/core/common.js';
import { createRateLimiter } from '../../../src/core/rate-limiter.js';
import { createDiscoveryReplay } from '../../../src/indexer/replay/discovery-replay.js';
import type { VerifierResult } from '../../../src/model/records.js';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import type { Storage } from '../../../src/storage/storage.js';
import { readProtobufClaim } from '../../../src/verifiers/aggregator/client/protobuf-claim.js';
import { discoveryClient, messagesOf, openDiscovery, SOURCE, untilRead } from '../../support/discovery/discovery.js';
import { eventually } from '../../support/eventually.js';
import { createRecordMaker } from '../../support/records.js';

const make = createRecordMaker(32);

/** Pages of entries 1 and so on; an entry that is hidden takes its place in a page, and is left out of the answer. */
function pages(results: readonly VerifierResult[], pageOf: (since: bigint) => number, isHidden = (_: bigint) => false) {
  const entries = results.map((result, index) => ({ sequence: BigInt(index) + 1n, result: encodeResult(result) }));
  return ({ bytes }: Parameters<Answer>[0]): Buffer => {
    const since = decodeSince(bytes);
    const page = entries.slice(Math.max(0, Number(since) - 1)).slice(0, pageOf(since));
    return encodePage(page.filter(({ sequence }) => !isHidden(sequence)));
  };
}

describe('an aggregator whose pages end before its entries do', () => {
  it('is drained without a pause, whatever the length of its pages', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    aggregator.answer(pages(make.results(150), (since) => (since < 100n ? 100 : 5)));
    start({ pollIntervalMs: 3_600_000 });
    await untilRead(storage, 150n);
  });

  it('promise 1: is read on beyond more than a page of entries that it does not show, and these when it does', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    const hidden = new Set(Array.from({ length: 500 }, (_, index) => BigInt(index) + 6n));
    aggregator.answer(
      pages(
        make.results(510),
        () => 100,
        (sequence) => hidden.has(sequence),
      ),
    );
    start({ overlapMs: 400 });
    await untilRead(storage, 510n);
    expect(await messagesOf(storage)).toBe(10);
    hidden.delete(380n);
    start({ overlapMs: 400 });
    await eventually('the shown one is found', async () => (await messagesOf(storage)) === 11);
  });

  it('promise 1: is read from Since on when its first pages show nothing', async () => {
    const { aggregators, storage, start } = await openDiscovery();
    const [aggregator] = aggregators as [AggregatorServer];
    aggregator.answer(
      pages(
        make.results(260),
        () => 100,
        (sequence) => sequence <= 250n,
      ),
    );
    start();
    await untilRead(storage, 260n);
    expect(await messagesOf(storage)).toBe(10);
  });
});

it('promise 1: a replay goes on behind pages of entries that are not shown, and ends with the last aggregator', async () => {
  const { aggregators } = await openDiscovery(2);
  const hidden = (sequence: bigint) => sequence > 20n && sequence <= 170n;
  for (const aggregator of aggregators) aggregator.answer(pages(make.results(180), () => 100, hidden));
  const common = createCommon();
  const replay = createDiscoveryReplay({
    aggregators: aggregators.map(({ address }, index) => ({
      client: discoveryClient(`agg-${index}`, address, common),
      entries: { readClaim: readProtobufClaim, verifierNameOf: () => null, aggregator: `agg-${index}` },
      limiter: createRateLimiter({ perSecond: null, clock: common.clock }),
    })),
    ...{ since: 1n, replaces: false, common },
  });
  const cursors: string[] = [];
  let results = 0;
  for await (const { cursor, batch } of replay.steps(null, new AbortController().signal)) {
    cursors.push(cursor);
    results += batch?.verifierResults?.length ?? 0;
  }
  expect(results).toBe(60);
  expect(cursors).toEqual(['0:21', '0:181', '1:1', '1:21', '1:181', '2:1']);
});

it('promise 10: an entry without a sequence is kept when the first try to store it fails', async () => {
  const { aggregators, storage, start } = await openDiscovery();
  const [aggregator] = aggregators as [AggregatorServer];
  let isDown = true;
  const store = {
    getCursor: (id: string) => storage.getCursor(id),
    insertBatch: async (batch: Parameters<Storage['insertBatch']>[0]) => {
      if (isDown) throw new StorageUnavailableError('warm', 'write');
      return await storage.insertBatch(batch);
    },
  };
  aggregator.answer(() => Buffer.from('0a010b', 'hex'));
  const running = start({ store });
  await expect(running.ended).rejects.toThrow(StorageUnavailableError);
  isDown = false;
  running.again();
  await eventually('it is kept', async () => {
    const [entry] = await storage.queryQuarantine({ afterPosition: 0n, limit: 10 });
    return entry?.sourceId === SOURCE && entry.reason === 'sequence';
  });
});
