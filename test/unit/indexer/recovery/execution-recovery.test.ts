import { afterEach, describe, expect, it } from 'vitest';
import type { CallAnswer, ExecuteCalls } from '../../../../src/chains/calls/execute-calls.js';
import { chainSourceId, recoveredSourceId } from '../../../../src/chains/source-ids.js';
import { createCommon } from '../../../../src/core/common.js';
import type { Hex } from '../../../../src/core/hex.js';
import { createExecutionRecovery } from '../../../../src/indexer/recovery/execution-recovery.js';
import { LaneCCVs } from '../../../../src/indexer/recovery/lane-ccvs.js';
import type { WriteBatch } from '../../../../src/model/batch.js';
import type { Execution, NewMessage } from '../../../../src/model/records.js';
import { createMemoryStorage } from '../../../../src/storage/memory/memory-storage.js';
import type { Storage } from '../../../../src/storage/storage.js';
import { OFF_RAMP } from '../../../support/chain/watch.js';
import { createManualClock } from '../../../support/manual-clock.js';
import { createRecordMaker, SELECTORS } from '../../../support/records.js';

const DEST = SELECTORS.high;
const SOURCE = 77n;
const SOURCE_CCV: Hex = `0x${'a1'.repeat(20)}`;
const DEST_CCV: Hex = `0x${'b1'.repeat(20)}`;
const make = createRecordMaker(12);

let ending: () => Promise<void> = async () => undefined;
afterEach(() => ending());

const lane = { sourceChainSelector: SOURCE, destChainSelector: DEST };
const messageWith = (ccv = SOURCE_CCV): NewMessage => ({ ...make.message(lane), messageCCVAddresses: [ccv] });

function executionOf({ messageId }: Pick<NewMessage, 'messageId'>, block: bigint): Execution {
  const place = { blockNumber: block, blockHash: make.hex(32), transactionHash: make.hex(32), logIndex: 0 };
  return {
    ...{ messageId, ...lane, messageNumber: 1n, offRamp: OFF_RAMP, state: 'success', returnData: new Uint8Array() },
    place: { ...place, blockTimestampMs: 5_000 },
  };
}

/** An OffRamp that is read through block 100, and what recovers its executions. */
async function setUp(options: {
  readonly answer: (execution: Execution) => CallAnswer;
  readonly isSourceBehind?: (storage: Storage) => boolean | Promise<boolean>;
  readonly ofLane?: readonly Hex[];
  readonly offRamps?: readonly Hex[];
}) {
  const storage: Storage = createMemoryStorage({ name: 'memory' });
  const clock = createManualClock();
  const common = createCommon({ clock, random: () => 0.5 });
  const asked: Hex[] = [];
  const batches: WriteBatch[] = [];
  const calls: ExecuteCalls = {
    find: async (execution) => {
      asked.push(execution.messageId);
      return options.answer(execution);
    },
    laneCCVs: async () => options.ofLane ?? [DEST_CCV],
  };
  const { offRamps = [OFF_RAMP] } = options;
  const recovery = createExecutionRecovery({
    ...{ chain: 'a', selector: DEST, storage, calls, common },
    offRamps: offRamps.map((address) => ({ address, startBlock: 0 })),
    lanes: new LaneCCVs({ storage, calls, configured: new Map() }),
    writer: {
      insertBatch: async (batch) => {
        batches.push(batch);
        return await storage.insertBatch(batch);
      },
    },
    isSourceBehind: async () => (await options.isSourceBehind?.(storage)) ?? false,
  });
  const read = { height: 100n, hash: make.hex(32) };
  await storage.insertBatch({
    cursors: offRamps.map((address) => ({ sourceId: chainSourceId(DEST, address), ...read, expectedHeight: null })),
  });
  const controller = new AbortController();
  let running = Promise.resolve();
  ending = async () => {
    controller.abort();
    await running;
    await storage.close();
  };
  return {
    ...{ storage, clock, asked, batches },
    run() {
      running = recovery.run(controller.signal);
    },
    async pass(ms: number) {
      for (let passed = 0; passed < ms; passed += 1_000) {
        await clock.settle();
        await clock.advance(1_000);
      }
      await clock.settle();
    },
    through: async (offRamp = OFF_RAMP) => (await storage.getCursor(recoveredSourceId(DEST, offRamp)))?.height ?? null,
    async outcomes() {
      const metric = common.metrics.getSingleMetric('indexer_source_recovered_verifications_total');
      return Object.fromEntries(
        ((await metric?.get())?.values ?? []).map(({ labels, value }) => [labels['outcome'], value]),
      );
    },
  };
}

const callWith = (ccv: Hex, ccvData = make.bytes(20)): CallAnswer => ({
  kind: 'call',
  call: { encodedMessage: new Uint8Array(), proofs: [{ ccv, ccvData }] },
});
const missing: CallAnswer = { kind: 'none', reason: 'transaction_missing', passing: true };

describe('recovering the verifications of executions', () => {
  it('promise 1: stores them in the commit that moves the cursor, and asks nothing about what is stored', async () => {
    const proof = make.bytes(30);
    const world = await setUp({ answer: () => callWith(DEST_CCV, proof) });
    const [lacking, complete] = [messageWith(), messageWith()];
    const own = {
      ...make.result(complete),
      ...{ verifierSourceAddress: SOURCE_CCV, verifierDestAddress: DEST_CCV },
    };
    await world.storage.insertBatch({
      messages: [lacking, complete],
      verifierResults: [own],
      executions: [
        executionOf(lacking, 7n),
        executionOf(complete, 8n),
        { ...executionOf(lacking, 6n), state: 'failure' },
      ],
    });
    world.run();
    await world.pass(1_000);
    expect(await world.storage.getCCVData(lacking.messageId)).toMatchObject([
      {
        ...{ verifierSourceAddress: SOURCE_CCV, verifierDestAddress: DEST_CCV, ccvData: proof },
        ...{ attestationMs: 5_000, verifierName: `chain:${DEST}` },
      },
    ]);
    expect(world.asked).toEqual([lacking.messageId]);
    const [withResult] = world.batches.filter(({ verifierResults = [] }) => verifierResults.length > 0);
    expect(withResult?.cursors).toMatchObject([{ sourceId: recoveredSourceId(DEST, OFF_RAMP), expectedHeight: null }]);
    expect(await world.outcomes()).toEqual({ recovered: 1, known: 1 });
    expect(await world.storage.queryConflicts({ afterPosition: 0n, limit: 9 })).toEqual([]);
    await world.pass(10_000);
    expect(await world.through()).toBe(100n);
  });

  it('promise 2: leaves a result as the verifier gave it, though the call has other bytes of it', async () => {
    const other: Hex = `0x${'a2'.repeat(20)}`;
    const otherDest: Hex = `0x${'b2'.repeat(20)}`;
    const message: NewMessage = { ...messageWith(), messageCCVAddresses: [SOURCE_CCV, other] };
    const proofs = [DEST_CCV, otherDest].map((ccv) => ({ ccv, ccvData: make.bytes(20) }));
    const call: CallAnswer = { kind: 'call', call: { encodedMessage: new Uint8Array(), proofs } };
    const world = await setUp({ answer: () => call, ofLane: [otherDest] });
    const ccvData = make.bytes(90);
    const own = {
      ...make.result(message),
      ...{ verifierSourceAddress: SOURCE_CCV, verifierDestAddress: DEST_CCV, ccvData },
    };
    await world.storage.insertBatch({
      messages: [message],
      verifierResults: [own],
      executions: [executionOf(message, 7n)],
    });
    world.run();
    await world.pass(1_000);
    expect(await world.outcomes()).toEqual({ known: 1, recovered: 1 });
    const stored = await world.storage.getCCVData(message.messageId);
    expect(stored.find(({ verifierSourceAddress }) => verifierSourceAddress === SOURCE_CCV)?.ccvData).toEqual(ccvData);
    expect(stored).toHaveLength(2);
    expect(await world.storage.queryConflicts({ afterPosition: 0n, limit: 9 })).toEqual([]);
  });

  it('passes over a call that no node has after some attempts, and goes on', async () => {
    const [old, next] = [messageWith(), messageWith()];
    const world = await setUp({
      answer: ({ messageId }) => (messageId === old.messageId ? missing : callWith(DEST_CCV)),
    });
    const executions = [executionOf(old, 7n), executionOf(next, 90n)];
    await world.storage.insertBatch({ messages: [old, next], executions });
    world.run();
    await world.pass(240_000);
    expect(world.asked.filter((id) => id === old.messageId)).toHaveLength(9);
    expect(await world.outcomes()).toEqual({ transaction_missing: 1, recovered: 1 });
    expect(await world.through()).toBe(100n);
  });

  it('promise 1: keeps how far each OffRamp is, while several are read and none has anything to recover', async () => {
    const second: Hex = `0x${'0f'.repeat(20)}`;
    const world = await setUp({ answer: () => missing, offRamps: [OFF_RAMP, second] });
    const finalized = async (offRamp: Hex, from: bigint, height: bigint) =>
      await world.storage.insertBatch({
        cursors: [{ sourceId: chainSourceId(DEST, offRamp), height, hash: make.hex(32), expectedHeight: from }],
      });
    world.run();
    await world.pass(20_000);
    for (let height = 101n; height <= 130n; height += 1n) {
      for (const offRamp of [OFF_RAMP, second]) await finalized(offRamp, height - 1n, height);
      await world.pass(2_000);
    }
    // no more than some seconds behind
    const [first, other] = [await world.through(), await world.through(second)];
    expect(first).toBeGreaterThan(120n);
    expect(other).toBeGreaterThan(120n);
  });

  it('waits for a message while its own chain is behind, and no longer', async () => {
    let behind = true;
    const world = await setUp({ answer: () => callWith(DEST_CCV), isSourceBehind: () => behind });
    const [late, never] = [messageWith(), messageWith()];
    await world.storage.insertBatch({ executions: [executionOf(late, 7n), executionOf(never, 8n)] });
    world.run();
    await world.pass(300_000);
    expect([await world.through(), world.asked]).toEqual([null, []]);
    await world.storage.insertBatch({ messages: [late] });
    behind = false;
    await world.pass(60_000);
    expect(await world.outcomes()).toEqual({ recovered: 1, message_unknown: 1 });
    expect(await world.storage.getCCVData(late.messageId)).toHaveLength(1);
    expect(await world.through()).toBe(100n);
  });

  it('promise 1: looks for a message once more after its own chain was seen to be beyond it', async () => {
    const late = messageWith();
    const world = await setUp({
      answer: () => callWith(DEST_CCV),
      // its block is stored between the look for it and the question
      async isSourceBehind(storage) {
        await storage.insertBatch({ messages: [late] });
        return false;
      },
    });
    await world.storage.insertBatch({ executions: [executionOf(late, 7n)] });
    world.run();
    await world.pass(20_000);
    expect(await world.outcomes()).toEqual({ recovered: 1 });
    expect(await world.through()).toBe(100n);
  });

  it('asks once in two seconds where a chain is that many executions wait for', async () => {
    let asked = 0;
    const world = await setUp({
      answer: () => callWith(DEST_CCV),
      isSourceBehind: () => {
        asked += 1;
        return true;
      },
    });
    const executions = Array.from({ length: 100 }, (_, index) => executionOf(messageWith(), BigInt(index)));
    await world.storage.insertBatch({ executions });
    world.run();
    await world.pass(60_000);
    expect(asked).toBeGreaterThan(20);
    expect(asked).toBeLessThan(35);
  });

  it('matches a CCV by what another execution tells, at once', async () => {
    const other: Hex = `0x${'a2'.repeat(20)}`;
    const otherDest: Hex = `0x${'b2'.repeat(20)}`;
    const both: NewMessage = { ...messageWith(), messageCCVAddresses: [other, SOURCE_CCV] };
    const [single, chosen] = [messageWith(), messageWith(other)];
    const answers = new Map<Hex, CallAnswer>([
      [both.messageId, callWith(DEST_CCV)],
      [single.messageId, callWith(DEST_CCV)],
      [chosen.messageId, callWith(otherDest)],
    ]);
    const world = await setUp({ answer: ({ messageId }) => answers.get(messageId) ?? missing });
    const messages = [both, single, chosen];
    const executions = messages.map((message, index) => executionOf(message, BigInt(index + 7)));
    await world.storage.insertBatch({ messages, executions });
    world.run();
    await world.pass(20_000);
    // the receiver's own choice stays unmatched
    expect(await world.outcomes()).toEqual({ recovered: 2, unmatched: 1 });
    expect(await world.storage.getCCVData(both.messageId)).toMatchObject([{ verifierSourceAddress: SOURCE_CCV }]);
  });
});
