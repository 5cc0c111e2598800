import fc from 'fast-check';
import { expect } from 'vitest';
import type { ListQuery } from '../../../src/model/list-query.js';
import { keyOf, type ListName } from '../../support/oracle/flat-answers.js';
import { textOf } from '../../support/oracle/flat-state.js';
import { SELECTORS } from '../../support/records.js';
import {
  ask,
  countQuestion,
  followQuestion,
  ledgerQuestion,
  messageQuestion,
  pageQuestion,
  type Question,
  resultsQuestion,
  transactionQuestion,
  type Who,
} from './ask.js';
import { often, pick, type Step, step } from './step.js';
import { makeMove, moves } from './tier-steps.js';
import { CONTENTS, executionsQuestion, feedQuestion, v2ListQuestion } from './v2-questions.js';
import { transactionIn, type World } from './world.js';
import { LANES } from './write-steps.js';

const who = fc.constantFrom<Who>('writer', 'reader');
const listName = fc.constantFrom<ListName>('messages', 'results');

/** Ends on, just before and just after commits; filters of which some match nothing. */
const rangeWish = fc.record({
  from: fc.option(pick, { nil: null, freq: 1 }),
  to: fc.option(pick, { nil: null, freq: 1 }),
  beside: fc.integer({ min: -1, max: 1 }),
  source: fc.option(fc.nat({ max: 3 }), { nil: null, freq: 1 }),
  dest: fc.option(fc.nat({ max: 3 }), { nil: null, freq: 1 }),
});
type RangeWish = typeof rangeWish extends fc.Arbitrary<infer T> ? T : never;

const FILTERS = [
  ...LANES.map(({ sourceChainSelector, destChainSelector }) => [sourceChainSelector, destChainSelector]),
  [SELECTORS.mid],
];

function queryOf({ history }: World, { from, to, beside, source, dest }: RangeWish): ListQuery {
  const timeOf = (n: number) => Math.max(0, (history[n % history.length]?.headMs ?? 0) + beside);
  return {
    ...(from === null ? {} : { startMs: timeOf(from) }),
    ...(to === null ? {} : { endMs: timeOf(to) }),
    ...(source === null ? {} : { sourceChainSelectors: FILTERS[source] ?? [] }),
    ...(dest === null ? {} : { destChainSelectors: FILTERS[dest] ?? [] }),
  };
}

const v2Wish = fc.record({
  ...{ n: pick, by: fc.constantFrom(...CONTENTS), order: fc.constantFrom('newest' as const, 'oldest' as const) },
  ...{ statuses: fc.nat({ max: 7 }), range: rangeWish, limit: fc.integer({ min: 1, max: 12 }) },
});

function v2QuestionOf(world: World, { n, range, ...wish }: typeof v2Wish extends fc.Arbitrary<infer T> ? T : never) {
  const of = world.message(n)?.encodedMessage;
  return v2ListQuestion({ ...wish, query: queryOf(world, range), of }, world.clock.nowMs());
}

const questionWish = fc.oneof(
  fc.record({ kind: fc.constant('v2' as const), wish: v2Wish }),
  fc.record({ kind: fc.constant('message' as const), n: pick }),
  fc.record({ kind: fc.constant('results' as const), n: pick }),
  fc.record({ kind: fc.constant('transaction' as const), n: pick }),
  fc.record({
    kind: fc.constant('page' as const),
    list: listName,
    range: rangeWish,
    limit: fc.integer({ min: 1, max: 12 }),
    offset: fc.option(fc.nat({ max: 40 }), { nil: 0 }),
  }),
  fc.record({ kind: fc.constant('count' as const), list: listName, range: rangeWish }),
  fc.record({ kind: fc.constant('changes' as const), n: pick, limit: fc.integer({ min: 1, max: 60 }) }),
);

function questionOf(world: World, wish: typeof questionWish extends fc.Arbitrary<infer T> ? T : never): Question {
  switch (wish.kind) {
    case 'v2':
      return v2QuestionOf(world, wish.wish);
    case 'message':
      return messageQuestion(world.anyId(wish.n));
    case 'results':
      return resultsQuestion(world.anyId(wish.n));
    case 'transaction':
      return transactionQuestion(transactionIn(wish.n));
    case 'page':
      return pageQuestion(wish.list, { ...queryOf(world, wish.range), limit: wish.limit, offset: wish.offset });
    case 'count':
      return countQuestion(wish.list, queryOf(world, wish.range));
    case 'changes':
      return followQuestion(BigInt(wish.n % (Number(world.state.position) + 1)), wish.limit);
  }
}

export const questionSteps: readonly fc.Arbitrary<Step>[] = [
  ...often(
    3,
    step('ask message', fc.record({ who, n: pick }), async (world, wish) => {
      await ask(world, wish.who, messageQuestion(world.anyId(wish.n)));
    }),
  ),
  ...often(
    3,
    step('ask results', fc.record({ who, n: pick }), async (world, wish) => {
      await ask(world, wish.who, resultsQuestion(world.anyId(wish.n)));
    }),
  ),
  ...often(
    2,
    step('ask transaction', fc.record({ who, n: pick }), async (world, wish) => {
      await ask(world, wish.who, transactionQuestion(transactionIn(wish.n)));
    }),
  ),
  ...often(
    2,
    step('ask v2', v2Wish, async (world, wish) => {
      await ask(world, 'writer', v2QuestionOf(world, wish));
      await ask(world, 'writer', executionsQuestion(world.anyId(wish.n)));
    }),
  ),
  step('ask feed', fc.record({ n: pick }), async (world, { n }) => {
    await ask(world, 'writer', feedQuestion(BigInt(n % (Number(world.state.position) + 1))));
  }),
  ...often(
    6,
    step(
      'ask page',
      fc.record({
        ...{ who, list: listName, range: rangeWish, limit: fc.integer({ min: 1, max: 12 }) },
        offset: fc.option(fc.nat({ max: 40 }), { nil: 0 }),
      }),
      async (world, { who, list, range, limit, offset }) => {
        await ask(world, who, pageQuestion(list, { ...queryOf(world, range), limit, offset }));
      },
    ),
  ),
  ...often(
    3,
    step('ask count', fc.record({ who, list: listName, range: rangeWish }), async (world, { who, list, range }) => {
      await ask(world, who, countQuestion(list, queryOf(world, range)));
    }),
  ),
  step(
    'ask ledger',
    fc.record({ n: fc.nat({ max: 30 }), limit: fc.integer({ min: 1, max: 9 }) }),
    async (world, { n, limit }) => {
      await ask(world, 'writer', ledgerQuestion(world, n, limit));
    },
  ),
  ...often(
    4,
    step(
      'walk',
      fc.record({
        ...{ who, list: listName, range: rangeWish, limit: fc.integer({ min: 1, max: 5 }) },
        between: fc.array(moves, { minLength: 1, maxLength: 4 }),
        writesAt: fc.option(fc.nat({ max: 3 }), { nil: null }),
      }),
      walk,
    ),
  ),
  ...often(
    2,
    step('follow', fc.record({ n: pick, limit: fc.integer({ min: 1, max: 60 }) }), async (world, { n, limit }) => {
      const after = BigInt(n % (Number(world.state.position) + 1));
      await ask(world, 'writer', followQuestion(after, limit));
    }),
  ),
  ...often(
    3,
    step(
      'ask while',
      fc.record({ who, move: moves, wishes: fc.array(questionWish, { minLength: 2, maxLength: 6 }) }),
      async (world, { who, move, wishes }) => {
        const questions = wishes.map((wish) => questionOf(world, wish));
        const outcomes = await Promise.allSettled([
          makeMove(world, move),
          ...questions.map(async (question) => await ask(world, who, question)),
        ]);
        for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
        await world.calm();
      },
    ),
  ),
  ...often(
    2,
    step('hear', fc.constant(null), async (world) => {
      await world.hear();
    }),
  ),
];

/**
 * All pages of a list by cursor, the tiers moving in between, once also the records: every page is what the flat list has
 * after the cursor. So what did not move is there once, whatever moved around it.
 */
async function walk(
  world: World,
  parameters: {
    who: Who;
    list: ListName;
    range: RangeWish;
    limit: number;
    between: ('flush' | 'evict' | 'prune' | 'compact' | 'vacuum' | 'none')[];
    writesAt: number | null;
  },
): Promise<void> {
  const { who, list, limit, between, writesAt } = parameters;
  const query = queryOf(world, parameters.range);
  const first = world.state;
  const keys: string[] = [];
  let cursor: string | null = null;
  for (let page = 0; ; page += 1) {
    const asked = { ...query, limit, ...(cursor === null ? {} : { cursor }) };
    const wasAnswered = await ask(
      world,
      who,
      pageQuestion(list, asked, ({ items, nextCursor }) => {
        keys.push(...items.map((item) => textOf(keyOf(item))));
        cursor = nextCursor;
      }),
    );
    if (!wasAnswered) return;
    if (cursor === null) break;
    await makeMove(world, between[page % between.length] ?? 'none');
    if (page === writesAt) await moveSome(world);
  }
  expect(new Set(keys).size, 'no place twice').toBe(keys.length);
  if (who === 'reader') return;
  const isThere = new Set(keys);
  for (const [identity, record] of first[list]) {
    const now = world.state[list].get(identity as never);
    if (!now || record.orphaned || now.orphaned || now.ingestionMs !== record.ingestionMs) continue;
    const answer = pageQuestion(list, { ...query, limit: 1e6 }).answer({
      ...world.state,
      [list]: new Map([[identity, now]]),
    });
    if (answer.startsWith('{')) expect(isThere, 'what did not move is there').toContain(textOf(keyOf(record)));
  }
  if (keys.length > limit) world.tally.count('walks of several pages');
}

/** An orphaning here, a return there, and something new. */
async function moveSome(world: World): Promise<void> {
  const listed = [...world.state.messages.values()].filter(({ orphaned, origin }) => !orphaned && origin);
  const gone = listed[world.clock.nowMs() % Math.max(1, listed.length)];
  const back = world.messages.find(({ messageId }) => world.state.messages.get(messageId)?.orphaned);
  const returned = back ? { ...back, origin: world.origin(5) } : world.make.message({ ...LANES[0], dataBytes: 4 });
  const outcome = await world.write({
    orphanings: gone?.origin ? [{ messageId: gone.messageId, blockHash: gone.origin.blockHash }] : [],
    messages: [returned],
  });
  if (outcome) world.replaceMessage(returned);
}
