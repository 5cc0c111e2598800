import { expect, test } from 'vitest';
import { nextTurn } from '../../../../src/core/event-loop.js';
import { StorageFailureError, StorageUnavailableError } from '../../../../src/model/storage-errors.js';
import { createSharedQuery } from '../../../../src/storage/postgres/read/shared-query.js';
import { createManualClock } from '../../../support/manual-clock.js';

/** A query that is under way until it is answered or failed by hand. */
interface Query {
  readonly questions: readonly string[];
  answer(): void;
  fail(error: Error): void;
}

function start() {
  const clock = createManualClock();
  const queries: Query[] = [];
  const ask = createSharedQuery<string, string>(
    (questions) =>
      new Promise((resolve, reject) => {
        queries.push({ questions, answer: () => resolve(questions.map((each) => `${each}!`)), fail: reject });
      }),
    { clock, refuse: () => new StorageUnavailableError('warm', 'get ccv data') },
  );
  return { clock, queries, ask };
}

/** Long enough for all that follows from what was done. */
async function turn(): Promise<void> {
  await nextTurn();
  await nextTurn();
}

const failure = new StorageFailureError('warm', 'get ccv data');

test('questions of one turn share a query, and each gets its own answer', async () => {
  const { queries, ask } = start();
  const answers = ['a', 'b', 'a'].map((each) => ask(each));
  expect(queries).toEqual([]);
  await turn();
  expect(queries.map(({ questions }) => questions)).toEqual([['a', 'b', 'a']]);
  queries[0]!.answer();
  expect(await Promise.all(answers)).toEqual(['a!', 'b!', 'a!']);
});

test('promise 5: a question is never answered by a query that began before it was asked', async () => {
  const { queries, ask } = start();
  const first = ask('a');
  await turn();
  const second = ask('a');
  queries[0]!.answer();
  expect(await first).toBe('a!');
  await turn();
  expect(queries.map(({ questions }) => questions)).toEqual([['a'], ['a']]);
  queries[1]!.answer();
  expect(await second).toBe('a!');
});

test('two queries are under way, and those asked meanwhile share the next', async () => {
  const { queries, ask } = start();
  const answers = [];
  for (const each of ['a', 'b', 'c', 'd', 'e']) {
    answers.push(ask(each));
    await turn();
  }
  expect(queries.map(({ questions }) => questions)).toEqual([['a'], ['b']]);
  queries[1]!.answer();
  await answers[1];
  await turn();
  expect(queries.map(({ questions }) => questions)).toEqual([['a'], ['b'], ['c', 'd', 'e']]);
  queries[0]!.answer();
  queries[2]!.answer();
  expect(await Promise.all(answers)).toEqual(['a!', 'b!', 'c!', 'd!', 'e!']);
});

test('queries that hang do not keep the next ones', async () => {
  const { clock, queries, ask } = start();
  const hanging = [];
  for (const each of ['a', 'b']) {
    hanging.push(ask(each));
    await turn();
  }
  const next = ask('c');
  await turn();
  expect(queries).toHaveLength(2);
  await clock.advance(1_000);
  await turn();
  expect(queries[2]?.questions).toEqual(['c']);
  queries[2]!.answer();
  expect(await next).toBe('c!');
  // late ones that end after all free no place twice
  for (const query of queries) query.answer();
  await Promise.all(hanging);
  const last = [];
  for (const each of ['d', 'e', 'f']) {
    last.push(ask(each));
    await turn();
  }
  expect(queries.slice(3).map(({ questions }) => questions)).toEqual([['d'], ['e']]);
  for (const query of queries) query.answer();
  await last[1];
  await turn();
  for (const query of queries) query.answer();
  expect(await Promise.all(last)).toEqual(['d!', 'e!', 'f!']);
});

test('a question that fails its query does not fail its neighbours', async () => {
  const { queries, ask } = start();
  const answers = Promise.allSettled(['good', 'bad', 'fine'].map((each) => ask(each)));
  await turn();
  queries[0]!.fail(failure);
  await turn();
  expect(queries.slice(1).map(({ questions }) => questions)).toEqual([['good'], ['bad'], ['fine']]);
  queries[1]!.answer();
  queries[2]!.fail(failure);
  queries[3]!.answer();
  expect(await answers).toEqual([
    { status: 'fulfilled', value: 'good!' },
    { status: 'rejected', reason: failure },
    { status: 'fulfilled', value: 'fine!' },
  ]);
});

test('an outage is told to all that share the query, at once', async () => {
  const { queries, ask } = start();
  const outage = new StorageUnavailableError('warm', 'get ccv data');
  const answers = Promise.allSettled(['a', 'b'].map((each) => ask(each)));
  await turn();
  queries[0]!.fail(outage);
  expect(await answers).toEqual([
    { status: 'rejected', reason: outage },
    { status: 'rejected', reason: outage },
  ]);
  expect(queries).toHaveLength(1);
});

test('there is an end to how many wait, and to how many share a query', async () => {
  const { queries, ask } = start();
  const answers = Promise.allSettled(Array.from({ length: 5_000 }, (_, index) => ask(String(index))));
  for (let turns = 0; turns < 200; turns += 1) {
    await turn();
    for (const query of queries) query.answer();
  }
  const refused = (await answers).filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(5_000 - 4_096);
  expect(Math.max(...queries.map(({ questions }) => questions.length))).toBe(128);
});
