import { expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { neverRead } from '../../../src/model/read-conditions.js';
import { createSink } from '../../../src/sink/sink.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createRecordMaker } from '../../support/records.js';
import { createFaultyStorage } from '../../support/sink/faulty-storage.js';
import { traces } from '../../support/tracing/told-spans.js';

it('a commit is told once, also when a required follower fails its write', async () => {
  const { tracing, spans } = traces();
  const common = createCommon({ tracing });
  const faulty = (name: string) => createFaultyStorage(createMemoryStorage({ name, common }), { durable: true });
  const [warm, second] = [faulty('warm'), faulty('second')];
  const backends = [{ storage: warm.storage }, { storage: second.storage, condition: neverRead() }];
  const sink = createSink({ common, retry: { baseMs: 1, maxMs: 2 }, backends });
  const make = createRecordMaker(1);
  await sink.insertBatch({ messages: [make.message()] });
  second.fail(['apply']);
  const message = make.message();
  const batch = { messages: [message], verifierResults: [make.result(message)] };
  await expect(sink.insertBatch(batch)).rejects.toMatchObject({ code: 'SINK_WRITE_FAILED', committed: true });
  second.heal();
  expect(await sink.insertBatch(batch)).toMatchObject({ messages: ['duplicate'], committed: null });
  const told = spans().filter(({ traceId }) => traceId === message.messageId.slice(2, 34));
  expect(told.map(({ name }) => name)).toEqual(['message', 'message.store', 'result.store']);
  await sink.close();
});
