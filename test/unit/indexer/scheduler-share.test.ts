import { expect, it } from 'vitest';
import { hashMembers, memberForTask } from '../../../src/indexer/workers/assignment.js';
import { A, insert, schedulerFixture } from '../../support/indexer/scheduler-fixture.js';

const { clock, memory, message, reader, schedule } = schedulerFixture();

/** What two workers think of who is there. */
function workers() {
  let members = hashMembers([{ member: 'one' }, { member: 'two' }]);
  const listeners: (() => void)[] = [];
  return {
    share: (name: string) => ({
      isMine: (id: string) => memberForTask(members, id) === name,
      onChange: (listener: () => void) => listeners.push(listener),
    }),
    become(...names: readonly string[]) {
      members = hashMembers(names.map((member) => ({ member })));
      for (const listener of listeners) listener();
    },
  };
}

it('a message of several workers is asked for by one of them, and by another as soon as that one has gone', async () => {
  const storage = memory();
  const { share, become } = workers();
  const [one, two] = [reader('a', A), reader('a', A)];
  const early = Array.from({ length: 20 }, () => message());
  await insert(storage, ...early);
  schedule(storage, [one], { share: share('one') });
  schedule(storage, [two], { share: share('two') });
  await clock.settle();
  const late = Array.from({ length: 20 }, () => message());
  await insert(storage, ...late);
  await clock.advance(2_000);
  const asked = () => [one, two].map((each) => new Set(each.asked.splice(0).map(({ messageId }) => messageId)));
  const all = [...early, ...late].map(({ messageId }) => messageId);
  const [ofOne, ofTwo] = asked();
  expect(ofOne!.size).toBeGreaterThan(5);
  expect(ofTwo!.size).toBeGreaterThan(5);
  expect([...ofOne!, ...ofTwo!].sort()).toEqual([...all].sort());

  become('two');
  await clock.advance(10_000);
  const [none, taken] = asked();
  expect([...none!]).toEqual([]);
  expect([...taken!].sort()).toEqual([...all].sort());

  become('one', 'two');
  await clock.advance(60_000);
  expect(asked().map((ids) => [...ids].sort())).toEqual([[...ofOne!].sort(), [...ofTwo!].sort()]);
});
