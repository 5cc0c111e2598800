import { describe, expect, it } from 'vitest';
import { StorageUnavailableError } from '../../../src/model/storage-errors.js';
import { CommitteeUnreadableError } from '../../../src/protocol/committee-reading.js';
import { VerifierResultRejectedError, VerifierUnavailableError } from '../../../src/verifiers/verifier-errors.js';
import {
  A,
  B,
  changesOf,
  HOUR_MS,
  insert,
  rejected,
  schedulerFixture,
  status,
} from '../../support/indexer/scheduler-fixture.js';

const { clock, make, memory, message, reader, schedule } = schedulerFixture();

describe('a new message', () => {
  it('is asked for at once, and success is stored together with its last result', async () => {
    const storage = memory();
    const sent = message(A, B);
    const a = reader('a', A, () => make.result(sent, 0));
    const b = reader('b', B, () => make.result(sent, 1));
    schedule(storage, [a, b]);
    await clock.settle();
    const sets = changesOf(storage);
    await insert(storage, sent);
    await clock.settle();
    expect(await status(storage, sent)).toBe('success');
    expect(await storage.getCCVData(sent.messageId)).toHaveLength(2);
    const last = sets.at(-1) ?? [];
    expect(last.some(({ kind }) => kind === 'verifierResult')).toBe(true);
    expect(last.some((change) => change.kind === 'message' && change.record.status === 'success')).toBe(true);
    expect(a.asked).toHaveLength(1);
    expect(b.asked).toHaveLength(1);
  });

  it('is asked for again after delays that double up to the longest', async () => {
    const storage = memory();
    const a = reader('a', A);
    schedule(storage, [a], { maxDelayMs: 8_000 });
    await clock.settle();
    const startMs = clock.monotonicMs();
    await insert(storage, message());
    await clock.advance(40_000);
    const seconds = a.asked.map(({ atMs }) => Math.round((atMs - startMs) / 1_000));
    expect(seconds).toEqual([0, 1, 3, 7, 15, 23, 31, 39]);
  });

  it('keeps what one CCV answered while another does not, and asks the other only', async () => {
    const storage = memory();
    const sent = message(A, B);
    const a = reader('a', A, () => make.result(sent, 0));
    const b = reader('b', B);
    schedule(storage, [a, b]);
    await clock.settle();
    await insert(storage, sent);
    await clock.advance(3_500);
    expect(await status(storage, sent)).toBe('processing');
    expect(a.asked).toHaveLength(1);
    expect(b.asked).toHaveLength(3);
    b.answer = () => make.result(sent, 1);
    await clock.advance(4_000);
    expect(await status(storage, sent)).toBe('success');
  });

  it('with a CCV without reader succeeds with the others, and the CCV is reported', async () => {
    const storage = memory();
    const sent = message(A, B);
    const a = reader('a', A, () => make.result(sent, 0));
    const { scheduler, metric } = schedule(storage, [a]);
    await clock.settle();
    await insert(storage, sent);
    await clock.settle();
    expect(await status(storage, sent)).toBe('success');
    expect(scheduler.status().unknownCCVs).toMatchObject({
      addresses: [{ address: B, messages: 1 }],
      unverifiableMessages: 0,
    });
    expect(await metric('indexer_unknown_ccv_addresses')).toEqual([{ value: 1, labels: {} }]);
  });

  it('without any CCV that has a reader never succeeds: it times out and stays listed', async () => {
    const storage = memory();
    const sent = message(B);
    const { scheduler, halt } = schedule(storage, [reader('a', A)], { tickerIntervalMs: 1_000 });
    await clock.settle();
    await insert(storage, sent);
    await clock.advance(HOUR_MS - 1_000);
    expect(await status(storage, sent)).toBe('processing');
    await clock.advance(2_000);
    expect(await status(storage, sent)).toBe('timeout');
    expect(scheduler.status()).toMatchObject({
      tasks: { ready: 0, running: 0, waiting: 0 },
      unknownCCVs: { unverifiableMessages: 1, unverifiableSample: [sent.messageId] },
    });
    await halt();
    const again = schedule(storage, [reader('a', A)], { tickerIntervalMs: 1_000 });
    await clock.settle();
    expect(again.scheduler.status().unknownCCVs.unverifiableMessages).toBe(1);
    expect(await status(storage, sent)).toBe('timeout');
  });

  it('without any CCV that has a reader succeeds once a source has stored the results of all', async () => {
    const storage = memory();
    const other = make.hex(20);
    const [before, after] = [message(B, other), message(B, other)];
    const { halt } = schedule(storage, [reader('a', A)]);
    await clock.settle();
    await insert(storage, before, after);
    await storage.insertBatch({ verifierResults: [make.result(before, 0), make.result(after, 1)] });
    await clock.advance(1_000);
    expect(await status(storage, before)).toBe('processing');
    await storage.insertBatch({ verifierResults: [make.result(before, 1)] });
    await clock.advance(1_000);
    expect(await status(storage, before)).toBe('success');
    await halt();
    await storage.insertBatch({ verifierResults: [make.result(after, 0)] });
    schedule(storage, [reader('a', A)]);
    await clock.advance(1_000);
    expect(await status(storage, after)).toBe('success');
  });
});

describe('several readers of one CCV', () => {
  it('are asked side by side: the first answer is enough, the others are told to stop', async () => {
    const storage = memory();
    const sent = message();
    const slow = reader('slow', A, () => 'hang');
    const fast = reader('fast', A, () => make.result(sent));
    schedule(storage, [slow, fast]);
    await clock.settle();
    await insert(storage, sent);
    await clock.settle();
    expect(await status(storage, sent)).toBe('success');
    expect(slow.aborted).toEqual([sent.messageId]);
  });

  it('stand in for each other when one is down or sends what fails a check', async () => {
    const storage = memory();
    const sent = message();
    const down = reader('down', A, () => new VerifierUnavailableError('down', 'network'));
    const bad = reader('bad', A, (id) => rejected(id, 'bad'));
    const good = reader('good', A, () => make.result(sent));
    schedule(storage, [down, bad, good]);
    await clock.settle();
    await insert(storage, sent);
    await clock.settle();
    expect(await status(storage, sent)).toBe('success');
    const quarantined = await storage.queryQuarantine({ afterPosition: 0n, limit: 10 });
    expect(quarantined).toMatchObject([
      { sourceId: 'verifier:bad', key: `${sent.messageId}:source_not_of_reader`, messageId: sent.messageId },
    ]);
    expect(Buffer.from(quarantined[0]!.raw).toString()).toBe('{"raw":1}');
  });
});

describe('a verifier in trouble', () => {
  it('that hangs holds an attempt no longer than the worker timeout', async () => {
    const storage = memory();
    const sent = message();
    const a = reader('a', A, () => 'hang');
    const { metric } = schedule(storage, [a], { workerTimeoutMs: 5_000 });
    await clock.settle();
    await insert(storage, sent);
    await clock.advance(5_500);
    expect(a.aborted).toHaveLength(1);
    expect(await metric('indexer_verification_attempts_total')).toEqual([
      { value: 1, labels: { outcome: 'unavailable' } },
    ]);
    a.answer = () => make.result(sent);
    await clock.advance(2_000);
    expect(await status(storage, sent)).toBe('success');
  });

  it('whose result cannot be judged now is asked on, and the attempt says why', async () => {
    const storage = memory();
    const sent = message();
    const a = reader('a', A, () => new CommitteeUnreadableError('dest', 'away'));
    const { metric } = schedule(storage, [a]);
    await clock.settle();
    await insert(storage, sent);
    await clock.settle();
    expect(await metric('indexer_verification_attempts_total')).toEqual([
      { value: 1, labels: { outcome: 'unjudged' } },
    ]);
    expect(await status(storage, sent)).toBe('processing');
    a.answer = () => make.result(sent);
    await clock.advance(2_000);
    expect(await status(storage, sent)).toBe('success');
  });

  it('whose results fail a check is asked on, and the same failure is quarantined once', async () => {
    const storage = memory();
    const sent = message();
    const a = reader('a', A, (id) => rejected(id));
    schedule(storage, [a]);
    await clock.settle();
    const sets = changesOf(storage);
    await insert(storage, sent);
    await clock.advance(10_000);
    expect(a.asked.length).toBeGreaterThan(3);
    expect(sets.flat().filter(({ kind }) => kind === 'quarantine')).toHaveLength(1);
    a.answer = () => make.result(sent);
    await clock.advance(10_000);
    expect(await status(storage, sent)).toBe('success');
  });

  it('that sends strays fills the quarantine no faster than sixty a minute', async () => {
    const storage = memory();
    const a = reader('a', A);
    const { metric } = schedule(storage, [a]);
    await clock.settle();
    for (let i = 0; i < 100; i++) a.stray(rejected(make.hex(32)));
    await clock.settle();
    expect(await storage.queryQuarantine({ afterPosition: 0n, limit: 1_000 })).toHaveLength(60);
    expect(await metric('indexer_verifier_strays_dropped_total')).toEqual([{ value: 40, labels: { verifier: 'a' } }]);
  });
});

describe('a verifier that sends large strays while the storage is away', () => {
  it('does not fill the memory: what is beyond eight megabytes is counted only', async () => {
    const storage = memory();
    storage.insertBatch = () => Promise.reject(new StorageUnavailableError('hot', 'insert batch'));
    const a = reader('a', A);
    const { metric } = schedule(storage, [a]);
    await clock.settle();
    for (let i = 0; i < 20; i++) {
      const { verifier, reason, messageId, detail } = rejected(make.hex(32));
      const raw = new Uint8Array(1 << 20);
      a.stray(new VerifierResultRejectedError({ verifier, reason, messageId, detail, raw }));
    }
    expect(await metric('indexer_verifier_strays_dropped_total')).toEqual([{ value: 12, labels: { verifier: 'a' } }]);
  });
});

describe('a message that is not verified in time', () => {
  it('times out, is asked for at a slow rate, and is healed when the result comes', async () => {
    const storage = memory();
    const sent = message();
    const a = reader('a', A);
    schedule(storage, [a], {
      tickerIntervalMs: 1_000,
      timedOutRetryMs: HOUR_MS,
      visibilityWindowMs: 10 * 60_000,
    });
    await clock.settle();
    await insert(storage, sent);
    await clock.advance(10 * 60_000 - 1_000);
    expect(await status(storage, sent)).toBe('processing');
    await clock.advance(2_000);
    expect(await status(storage, sent)).toBe('timeout');
    const before = a.asked.length;
    await clock.advance(HOUR_MS);
    expect(a.asked.length - before).toBe(1);
    a.answer = () => make.result(sent);
    await clock.advance(HOUR_MS);
    expect(await status(storage, sent)).toBe('success');
    expect(a.asked.length - before).toBe(2);
    await clock.advance(2 * HOUR_MS);
    expect(a.asked.length - before).toBe(2);
  });
});

it('shows messages that wait for a worker, and the readers that are asked, to dashboards of the Go indexer', async () => {
  const storage = memory();
  const { status: closed } = reader('none', B);
  const a = reader('a', A, () => 'hang');
  const b = Object.assign(reader('b', B), { status: () => ({ ...closed(), circuit: 'open' as const }) });
  const { metric } = schedule(storage, [a, b], { concurrentWorkers: 1 });
  await clock.settle();
  for (let each = 0; each < 3; each++) await insert(storage, message(A));
  await clock.advance(100);
  expect(await metric('indexer_verification_record_channel_size')).toEqual([{ value: 2, labels: {} }]);
  expect(await metric('indexer_active_readers')).toEqual([{ value: 1, labels: {} }]);
});
