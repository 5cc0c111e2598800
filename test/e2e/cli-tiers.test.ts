import { expect, it } from 'vitest';
import { flushed, openWorker } from '../support/e2e/cold-namespace.js';
import { commandFixture } from '../support/e2e/fixture.js';
import { body, type ListedResult, listMessages, listResults, resultsOfIdIn } from '../support/e2e/http.js';
import { startServiceProcess } from '../support/e2e/service.js';
import { eventually } from '../support/eventually.js';
import { createRecordMaker } from '../support/records.js';
import { liveEventfully } from '../support/sink/eventful-life.js';

const fixture = commandFixture();

it('an api process answers what was pruned from the cold tier, and follows what workers flush, without writing itself', async () => {
  const tiers = fixture.tiersOf('replica');
  const worker = await openWorker(tiers);
  const make = createRecordMaker(21);
  await liveEventfully(worker.sink, make, 6);
  await flushed(worker);
  const listed = async () => {
    const { items } = await worker.sink.queryMessages({ limit: 1_000 });
    return items.map(({ messageId }) => messageId);
  };
  const pruned = await listed();
  const { throughMs, throughPosition } = worker.cold.coverage();
  const removed = await worker.warm.prune({ ingestionMs: throughMs, position: throughPosition }, { dutyCycle: 1 });
  expect(removed.verifierResults).toBeGreaterThan(0);

  const { apiUrl, adminUrl, cli } = await startServiceProcess('api', tiers.file);
  expect([...(await listMessages(apiUrl)).keys()]).toEqual(pruned);
  const results = await listResults(apiUrl);
  // a list is in order of ingestion, what is known of one message in order of its verifiers
  const inOrder = (listed: readonly ListedResult[]) =>
    [...listed].sort((a, b) =>
      a.verifierResult.verifier_source_address < b.verifierResult.verifier_source_address ? -1 : 1,
    );
  for (const [messageId, expected] of results)
    expect(resultsOfIdIn(await body(`${apiUrl}/v1/verifierresults/${messageId}`))).toEqual(inOrder(expected));
  expect(await body(`${adminUrl}/metrics`)).toMatch(/^indexer_sink_lookups_total\{shape="cold"\} [1-9]/m);

  await liveEventfully(worker.sink, make, 2);
  await flushed(worker);
  const after = worker.cold.coverage();
  await worker.warm.prune({ ingestionMs: after.throughMs, position: after.throughPosition }, { dutyCycle: 1 });
  const expected = await listed();
  expect(expected.length).toBeGreaterThan(pruned.length);
  await eventually('the replica to list it all', async () => {
    const found = [...(await listMessages(apiUrl)).keys()];
    return found.length === expected.length && found.every((id, index) => id === expected[index]);
  });
  const objects = await worker.cold.maintenance.describe();
  expect(await cli.stop()).toEqual({ code: 0, signal: null });
  expect(await worker.cold.maintenance.describe()).toEqual(objects);
  await worker.close();
});
