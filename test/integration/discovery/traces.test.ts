import { expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { openDiscovery } from '../../support/discovery/discovery.js';
import { eventually } from '../../support/eventually.js';
import { createRecordMaker } from '../../support/records.js';
import { traces } from '../../support/tracing/told-spans.js';

it('the trace of a message begins with the page of the aggregator that told it', async () => {
  const { aggregators, storage, start } = await openDiscovery();
  const { tracing, spans } = traces();
  const make = createRecordMaker(31);
  const message = make.message();
  aggregators[0]?.publish(make.result(message, 0));
  const running = start({ common: createCommon({ tracing }) });
  await eventually('the message is stored', async () => (await storage.queryMessages({ limit: 1 })).items.length === 1);
  await running.stop();
  tracing.store()([{ kind: 'message', messageId: message.messageId }], {});
  const [root, read] = spans();
  expect(root).toMatchObject({ name: 'message', traceId: message.messageId.slice(2, 34) });
  expect(read).toMatchObject({ name: 'aggregator.read', parent: { spanId: root?.spanId } });
  expect(read?.span.attributes).toEqual({ 'ccip.aggregator': 'agg-0', 'ccip.from_sequence': '0' });
});
