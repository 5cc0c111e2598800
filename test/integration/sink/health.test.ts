import { expect, it } from 'vitest';
import { alwaysRead, neverRead } from '../../../src/model/read-conditions.js';
import { createSink } from '../../../src/sink/sink.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createRecordMaker } from '../../support/records.js';
import { createFaultyStorage } from '../../support/sink/faulty-storage.js';
import { createLaggingStorage } from '../../support/sink/lagging-storage.js';

it.each([
  ['the leader is read', alwaysRead()],
  ['another follower is', neverRead()],
])('a follower that hangs does not keep a sink from being healthy when %s', async (_name, condition) => {
  const leader = createFaultyStorage(createMemoryStorage({ name: 'leader' }), { durable: true });
  const hangs = createFaultyStorage(createMemoryStorage({ name: 'hangs' }));
  const works = createFaultyStorage(createMemoryStorage({ name: 'works' }));
  const sink = createSink({
    backends: [{ storage: hangs.storage }, { storage: works.storage }, { storage: leader.storage, condition }],
  });
  await sink.started();
  const goOn = hangs.hold('health');
  expect(await sink.health()).toEqual({ healthy: true, reason: null });
  leader.fail(['health'], new Error('gone'));
  expect(await sink.health()).toEqual({ healthy: false, reason: 'leader: gone' });
  goOn();
  await sink.close();
});

it('a sink of which nobody can be read says why', async () => {
  const leader = createFaultyStorage(createMemoryStorage({ name: 'leader' }), { durable: true });
  const only = createFaultyStorage(createMemoryStorage({ name: 'only' }));
  const sink = createSink({
    backends: [{ storage: only.storage }, { storage: leader.storage, condition: neverRead() }],
  });
  await sink.started();
  only.fail(['health'], new Error('gone'));
  expect(await sink.health()).toEqual({ healthy: false, reason: 'no backend can be read: gone' });
  await sink.close();
});

it('a cold tier that says nothing when a process starts does not hold up its writes', async () => {
  const leader = createFaultyStorage(createMemoryStorage({ name: 'leader' }), { durable: true });
  const cold = createLaggingStorage('cold').storage;
  let goOn: () => void = () => undefined;
  const silence = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  cold.ready = async () => await silence;
  const sink = createSink({
    backends: [{ storage: leader.storage }, { storage: cold, tier: 'cold' }],
    contactWaitMs: 20,
  });
  const message = createRecordMaker(1).message();
  expect((await sink.insertBatch({ messages: [message] })).messages).toEqual(['inserted']);
  goOn();
  await sink.close();
});
