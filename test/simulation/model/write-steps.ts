import fc from 'fast-check';
import { expect } from 'vitest';
import type { WriteBatch } from '../../../src/model/batch.js';
import { logOf } from '../../../src/model/identity.js';
import type { NewMessage } from '../../../src/model/records.js';
import { commitFlat } from '../../support/oracle/flat-commit.js';
import { SELECTORS } from '../../support/records.js';
import { CHAIN_SOURCE } from './ask.js';
import { often, pick, type Step, step } from './step.js';
import type { World } from './world.js';

export const LANES = [
  { sourceChainSelector: SELECTORS.low, destChainSelector: SELECTORS.high },
  { sourceChainSelector: SELECTORS.high, destChainSelector: SELECTORS.low },
  { sourceChainSelector: SELECTORS.max, destChainSelector: SELECTORS.mid },
] as const;

const insertParameters = fc.record({
  count: fc.integer({ min: 1, max: 4 }),
  lane: pick,
  /** Which of the messages' two results come with them: two bits a message. */
  results: fc.nat({ max: 255 }),
  /** A result of an older message comes along. */
  late: fc.option(pick, { nil: null }),
  block: fc.nat({ max: 30 }),
});

/** New messages with some of their results. */
export function newRecords(
  world: World,
  wish: { count: number; lane: number; results: number; block: number },
): WriteBatch {
  const { make } = world;
  const ccvs = [make.hex(20), make.hex(20)];
  const messages = Array.from({ length: wish.count }, (_, i) =>
    make.message({
      ...LANES[(wish.lane + i) % LANES.length],
      ...{ ccvs, dataBytes: 4, origin: world.origin(wish.block) },
    }),
  );
  const verifierResults = messages.flatMap((message, i) =>
    [0, 1].filter((ccv) => (wish.results >> (2 * i + ccv)) & 1).map((ccv) => newResult(world, message, ccv)),
  );
  return { messages, verifierResults };
}

function newResult({ make }: World, message: NewMessage, ccv: number) {
  return make.result(message, ccv, { dest: '0x02', ccvDataBytes: 12 });
}

/** Writes, and remembers what was given when it is stored. */
export async function give(world: World, batch: WriteBatch): Promise<void> {
  if ((await world.write(batch)) === null) return;
  remember(world, batch);
}

function remember(world: World, { messages = [], verifierResults = [] }: WriteBatch): void {
  for (const message of messages) {
    const known = world.state.bodies.get(message.messageId);
    if (known?.body.messageExecutorAddress === message.messageExecutorAddress) world.replaceMessage(message);
  }
  for (const result of verifierResults) {
    const isStored = [...world.state.results.values()].some(
      ({ messageId, verifierSourceAddress, ccvData }) =>
        messageId === result.messageId &&
        verifierSourceAddress === result.verifierSourceAddress &&
        Buffer.compare(ccvData, result.ccvData) === 0,
    );
    if (isStored && !world.results.includes(result)) world.results.push(result);
  }
}

/** A message of any age in the given state. */
function find(world: World, n: number, wanted: (message: { orphaned: boolean }) => boolean): NewMessage | undefined {
  const found = world.messages.filter(({ messageId }) => {
    const stored = world.state.messages.get(messageId);
    return stored !== undefined && wanted(stored);
  });
  return found[n % Math.max(1, found.length)];
}

/** The orphaning that takes effect; null when the message has no origin. */
function orphaningOf(world: World, { messageId }: NewMessage): NonNullable<WriteBatch['orphanings']>[number] | null {
  const origin = world.state.messages.get(messageId)?.origin;
  return origin ? { messageId, blockHash: origin.blockHash } : null;
}

const isListed = ({ orphaned }: { orphaned: boolean }) => !orphaned;
const isOrphaned = ({ orphaned }: { orphaned: boolean }) => orphaned;

export const writeSteps: readonly fc.Arbitrary<Step>[] = [
  ...often(
    5,
    step('insert', insertParameters, async (world, wish) => {
      const batch = newRecords(world, wish);
      const old = wish.late === null ? undefined : world.message(wish.late);
      const late = old ? [newResult(world, old, wish.lane % 2)] : [];
      await give(world, { ...batch, verifierResults: [...(batch.verifierResults ?? []), ...late] });
    }),
  ),
  ...often(
    2,
    step('late results', fc.record({ n: pick, unknown: fc.boolean() }), async (world, { n, unknown }) => {
      // a result may be here before its message
      const message = unknown ? world.make.message({ ...LANES[n % 3], dataBytes: 4 }) : world.message(n);
      if (!message) return;
      await give(world, {
        verifierResults: [newResult(world, message, 0), newResult(world, message, n % 2)].slice(n % 2),
      });
      if (unknown && n % 3 === 0) await give(world, { messages: [message] });
    }),
  ),
  ...often(
    2,
    step('duplicate', fc.record({ n: pick, m: pick, alone: fc.boolean() }), async (world, { n, m, alone }) => {
      const message = world.message(n);
      const result = world.results[m % Math.max(1, world.results.length)];
      const fresh = alone ? {} : newRecords(world, { count: 1, lane: n, results: 1, block: m % 30 });
      await give(world, {
        messages: [
          ...(message && !world.state.messages.get(message.messageId)?.orphaned ? [message] : []),
          ...(fresh.messages ?? []),
        ],
        verifierResults: [...(result ? [result] : []), ...(fresh.verifierResults ?? [])],
      });
    }),
  ),
  step(
    'conflict',
    fc.record({ n: pick, of: fc.constantFrom('message', 'result', 'body', 'replace') }),
    async (world, { n, of }) => {
      const { make } = world;
      const message = world.message(n);
      const result = world.results[n % Math.max(1, world.results.length)];
      if (of === 'message' && message)
        await world.write({ messages: [{ ...message, messageExecutorAddress: make.hex(20) }] });
      const others = result ? [{ ...result, ccvData: make.bytes(9) }] : [];
      if (of === 'result') await world.write({ verifierResults: others });
      if (of === 'replace') await world.write({ verifierResults: others, replacesFor: 1n });
      if (of === 'body' && message)
        await world.write({
          verifierResults: [{ ...newResult(world, message, 0), messageExecutorAddress: make.hex(20) }],
        });
    },
  ),
  ...often(
    2,
    step(
      'status',
      fc.record({ n: pick, status: fc.constantFrom('timeout', 'success', 'processing') }),
      async (world, { n, status }) => {
        await world.write({ statuses: [{ messageId: world.anyId(n), status }] });
      },
    ),
  ),
  ...often(
    2,
    // most have to be at their end before much can be pruned
    step('finish', fc.record({ but: pick }), async (world, { but }) => {
      const left = world.messages.filter((_, index) => index % 11 !== but % 23);
      await world.write({ statuses: left.map(({ messageId }) => ({ messageId, status: 'success' as const })) });
    }),
  ),
  step('origin', fc.record({ n: pick, block: fc.nat({ max: 30 }) }), async (world, { n, block }) => {
    const message = find(world, n, isListed);
    if (message) await give(world, { messages: [{ ...message, origin: world.origin(block) }] });
  }),
  ...often(
    3,
    step('orphan', fc.record({ n: pick, isElsewhere: fc.boolean() }), async (world, { n, isElsewhere }) => {
      const message = find(world, n, isListed);
      const orphaning = message && orphaningOf(world, message);
      if (!orphaning) return;
      const other = isElsewhere ? [{ ...orphaning, blockHash: world.make.hex(32) }] : [];
      await world.write({ orphanings: n % 5 === 0 && isElsewhere ? other : [...other, orphaning] });
    }),
  ),
  ...often(
    3,
    step(
      'return',
      fc.record({ n: pick, block: fc.nat({ max: 30 }), withResult: fc.boolean() }),
      async (world, { n, block, withResult }) => {
        const message = find(world, n, isOrphaned);
        if (!message) return;
        const verifierResults = withResult ? [newResult(world, message, n % 2)] : [];
        await give(world, { messages: [{ ...message, origin: world.origin(block) }], verifierResults });
      },
    ),
  ),
  ...often(
    2,
    step('move in time', fc.record({ n: pick, block: fc.nat({ max: 30 }) }), async (world, { n, block }) => {
      const message = find(world, n, isListed);
      const orphaning = message && orphaningOf(world, message);
      if (!orphaning) return;
      const origin = world.origin(block);
      await give(world, { orphanings: [orphaning], messages: [{ ...message, origin }] });
    }),
  ),
  ...often(
    2,
    step(
      'execution',
      fc.record({ n: pick, block: fc.nat({ max: 30 }), isUnknown: fc.boolean(), withResult: fc.boolean() }),
      async (world, { n, block, isUnknown, withResult }) => {
        const message = isUnknown && n % 3 === 0 ? world.make.message({ ...LANES[n % 3] }) : world.message(n);
        if (!message) return;
        const execution = world.make.execution(message, { place: world.origin(block) });
        const verifierResults = withResult ? [newResult(world, message, n % 2)] : [];
        await give(world, { executions: [execution], verifierResults });
      },
    ),
  ),
  step(
    'executed again',
    fc.record({ n: pick, what: fc.constantFrom('same', 'other', 'orphan', 'both') }),
    async (world, { n, what }) => {
      const stored = [...world.state.executions.values()];
      const found = stored[n % Math.max(1, stored.length)];
      if (!found) return;
      const { ingestionMs: _ms, position: _position, orphaned: _orphaned, ...execution } = found;
      if (what === 'orphan') await world.write({ executionOrphanings: [logOf(execution)] });
      else if (what === 'both')
        await world.write({ executionOrphanings: [logOf(execution)], executions: [execution, execution] });
      else
        await world.write({
          executions: [what === 'same' ? execution : { ...execution, returnData: world.make.bytes(3) }],
        });
    },
  ),
  step('ledger', fc.record({ n: pick, isLate: fc.boolean() }), async (world, { n, isLate }) => {
    const { make } = world;
    const present = world.state.cursors.get(CHAIN_SOURCE)?.height ?? null;
    const raw = make.bytes(5);
    await world.write({
      cursors: [
        {
          sourceId: CHAIN_SOURCE,
          height: (present ?? 0n) + BigInt(n % 7),
          hash: null,
          expectedHeight: isLate ? 4711n : present,
        },
      ],
      quarantine: [{ sourceId: CHAIN_SOURCE, key: `k${n % 5}`, reason: 'ABI', detail: '', raw, messageId: null }],
    });
  }),
  step(
    'at once',
    fc.record({ first: insertParameters, second: insertParameters }),
    async (world, { first, second }) => {
      if (world.isBroken) return;
      const batches = [newRecords(world, first), newRecords(world, second)];
      const fromMs = world.clock.nowMs();
      const before = world.state;
      const outcomes = await world.drive(Promise.all(batches.map((batch) => world.writer.sink.insertBatch(batch))));
      // both in one group of the database, or one after the other
      const [a, b] = outcomes.map(({ committed }) => committed?.throughPosition ?? -1n);
      if (a === b) {
        const both = {
          messages: batches.flatMap(({ messages }) => messages ?? []),
          verifierResults: batches.flatMap(({ verifierResults }) => verifierResults ?? []),
        };
        const ingestionMs = outcomes[0]?.committed?.ingestionMs ?? -1;
        world.history.push(commitFlat(before, both, ingestionMs).state);
        expect(world.state.position).toBe(a);
      } else
        for (const index of (a ?? 0n) < (b ?? 0n) ? [0, 1] : [1, 0])
          world.took(batches[index] ?? {}, outcomes[index]!, world.state, fromMs);
      for (const batch of batches) remember(world, batch);
      await world.calm();
    },
  ),
];
