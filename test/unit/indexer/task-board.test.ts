import { describe, expect, it } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import { TaskBoard } from '../../../src/indexer/task-board.js';
import type { VerificationTask } from '../../../src/indexer/verification-task.js';

let next = 0;
function task(timedOut = false): VerificationTask {
  return {
    messageId: `0x${(next++).toString(16).padStart(64, '0')}` as Hex,
    ingestionMs: 0,
    answerable: true,
    verifiable: true,
    missing: [],
    needsLookup: false,
    timedOut,
    place: timedOut ? 'timed-out' : 'in-time',
    attempts: 0,
    attempt: null,
    ended: false,
    quarantined: null,
    dueMs: 0,
    slot: -1,
    list: null,
    previous: null,
    next: null,
  };
}

const board = (maxTasks: number) => new TaskBoard({ maxTasks, tickMs: 10, horizonMs: 1_000, nowMs: 0 });

/** Runs and puts back everything that is ready. */
function ask(on: TaskBoard, dueMs: number): VerificationTask[] {
  const asked: VerificationTask[] = [];
  for (let each = on.take(); each; each = on.take()) asked.push(each);
  for (const each of asked) on.wait(each, dueMs);
  return asked;
}

describe('a full board', () => {
  it('parks the waiting task that was asked for longest ago, and says that it overflowed', () => {
    const on = board(4);
    const [a, b, c, d] = [task(), task(), task(), task()];
    for (const each of [a, b, c]) expect(on.admit(each!)).toBe(true);
    expect(on.overflowed).toBe(false);
    ask(on, 500);
    expect(on.admit(d!)).toBe(true);
    expect(on.overflowed).toBe(true);
    expect(on.get(a!.messageId)).toBeNull();
    expect(on.get(d!.messageId)).toBe(d);
    on.advance(1_000);
    expect(on.counts()).toEqual({ ready: 3, running: 0, waiting: 0 });
  });

  it('never parks what was not asked for yet', () => {
    const on = board(3);
    expect([task(), task()].map((each) => on.admit(each))).toEqual([true, true]);
    expect(on.take()).not.toBeNull();
    expect(on.admit(task())).toBe(false);
    expect(on.overflowed).toBe(true);
    expect(on.busy).toBe(true);
  });

  it('keeps places for timed-out messages, and lets none of them stand in the way of others', () => {
    const on = board(20);
    const timedOut = [task(true), task(true), task(true)];
    expect(timedOut.map((each) => on.admit(each))).toEqual([true, true, false]);
    expect(on.overflowed).toBe(false);
    const inTime = Array.from({ length: 18 }, () => task());
    for (const each of inTime) expect(on.admit(each)).toBe(true);
    expect(on.take()).toBe(inTime[0]);
    for (let i = 1; i < 18; i++) on.take();
    const late = on.take();
    expect(late).toBe(timedOut[0]);
    on.finish(late!);
    expect(on.admit(timedOut[2]!)).toBe(true);
  });

  it('gives back the place of a task that timed out while it was there', () => {
    const on = board(2);
    const first = task();
    on.admit(first);
    on.take();
    first.timedOut = true;
    on.finish(first);
    expect(on.admit(task())).toBe(true);
    expect(on.admit(task(true))).toBe(true);
    expect(on.admit(task(true))).toBe(false);
  });
});

describe('a task', () => {
  it('that ends while it runs is told, and does not come back', () => {
    const on = board(10);
    const running = task();
    on.admit(running);
    on.take();
    running.attempt = new AbortController();
    on.end(running);
    expect(running.attempt.signal.aborted).toBe(true);
    on.wait(running, 10);
    on.advance(1_000);
    expect(on.counts()).toEqual({ ready: 0, running: 0, waiting: 0 });
    expect(on.size).toBe(0);
  });

  it('that ends while another one of its id took its place leaves that alone', () => {
    const on = board(10);
    const old = task();
    on.admit(old);
    on.take();
    on.end(old);
    const returned = { ...task(), messageId: old.messageId };
    on.admit(returned);
    on.finish(old);
    expect(on.get(old.messageId)).toBe(returned);
    expect(on.counts()).toEqual({ ready: 1, running: 0, waiting: 0 });
  });

  it('can be hurried while it waits only', () => {
    const on = board(10);
    const each = task();
    on.admit(each);
    on.hurry(each);
    expect(on.counts().ready).toBe(1);
    ask(on, 900);
    on.hurry(each);
    expect(on.counts()).toEqual({ ready: 1, running: 0, waiting: 0 });
    expect(on.take()).toBe(each);
    on.hurry(each);
    expect(on.counts()).toEqual({ ready: 0, running: 1, waiting: 0 });
  });
});

it('a hundred thousand tasks go round without any of them getting lost', () => {
  const on = board(200_000);
  const seen = new Map<Hex, number>();
  for (let i = 0; i < 100_000; i++) on.admit(task());
  for (let turn = 1; turn <= 3; turn++) {
    for (const each of ask(on, turn * 1_000)) seen.set(each.messageId, (seen.get(each.messageId) ?? 0) + 1);
    on.advance(turn * 1_000);
  }
  expect(seen.size).toBe(100_000);
  expect([...seen.values()].every((times) => times === 3)).toBe(true);
});
