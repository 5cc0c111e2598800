import { describe, expect, it } from 'vitest';
import type { ExecutionReport } from '../../../scripts/devnet/lane/executor.js';
import { createLaneProgress } from '../../../scripts/devnet/lane/lane-progress.js';
import type { MessageKind } from '../../../scripts/devnet/lane/message-kinds.js';
import type { SentMessage } from '../../../scripts/devnet/lane/traffic.js';
import {
  renderLine,
  renderSummary,
  renderTable,
  startLiveTable,
  tableStyle,
} from '../../../scripts/devnet/view/live-table.js';
import type { Clock } from '../../../src/core/clock.js';
import type { Hex } from '../../../src/core/hex.js';

const id = (n: number): Hex => `0x${n.toString(16).padStart(64, '0')}`;

function sent(n: number, kind: MessageKind = 'data', lane = 'A→B', sentMs = 10_000): SentMessage {
  const selectors = { sourceChainSelector: 1n, destChainSelector: 2n };
  return {
    messageId: id(n),
    lane,
    kind,
    ...selectors,
    blockNumber: 5n,
    transactionHash: '0x',
    sentMs,
    minedMs: sentMs,
  };
}

function report(n: number, times: Partial<ExecutionReport> = {}): ExecutionReport {
  return {
    ...{ messageId: id(n), sourceChainSelector: 1n, destChainSelector: 2n, ingestionMs: 10_500, firstSeenMs: 11_000 },
    ...{ verifiedMs: 12_000, executedMs: 13_000, attempts: 1, executedBefore: false },
    ...times,
  };
}

describe('the progress of a lane', () => {
  it('counts each step once, by lane and kind, with quantiles from submission on', () => {
    const progress = createLaneProgress(() => 0);
    for (let n = 1; n <= 100; n += 1) {
      progress.sent(sent(n));
      progress.report(report(n, { verifiedMs: null, executedMs: null }));
      progress.report(report(n, { executedMs: 10_000 + n * 10 }));
      progress.report(report(n, { executedMs: 10_000 + n * 10 }));
    }
    progress.sent(sent(101, 'token', 'B→A'));
    const { rows, total } = progress.snapshot();
    expect(rows.map(({ lane, kind, sent: count }) => [lane, kind, count])).toEqual([
      ['A→B', 'data', 100],
      ['B→A', 'token', 1],
    ]);
    expect(rows[0]).toMatchObject({
      reached: { indexed: 100, verified: 100, executed: 100 },
      latency: { indexed: { p50Ms: 500, p95Ms: 500 }, executed: { p50Ms: 500, p95Ms: 950 } },
    });
    expect(rows[1]?.latency.executed).toBeNull();
    expect(total).toMatchObject({ sent: 101, reached: { executed: 100 } });
  });

  it('takes reports that come before the sender knows', () => {
    const progress = createLaneProgress(() => 0);
    progress.report(report(1));
    expect(progress.snapshot()).toMatchObject({ carriedOver: 1, total: { sent: 0, reached: { executed: 0 } } });
    progress.sent(sent(1));
    expect(progress.snapshot()).toMatchObject({ carriedOver: 0, total: { sent: 1, reached: { executed: 1 } } });
  });

  it('leaves out what was executed before this start', () => {
    const progress = createLaneProgress(() => 0);
    progress.report(report(1, { executedBefore: true }));
    expect(progress.snapshot()).toMatchObject({ carriedOver: 0, rows: [] });
  });
});

describe('the live table', () => {
  function snapshot(executed = true) {
    let now = 0;
    const progress = createLaneProgress(() => now);
    progress.sent(sent(1, 'tokenAndData'));
    progress.sent(sent(2, 'bigData', 'B→A'));
    progress.report(report(1));
    progress.report(report(2, executed ? { executedMs: 133_456 } : { verifiedMs: null, executedMs: null }));
    now = 65_000;
    return progress.snapshot();
  }

  it('fits 80 columns', () => {
    expect(renderTable(snapshot(), { columns: 80, color: false }).join('\n')).toMatchInlineSnapshot(`
      "                                    seconds until   indexed  verified  executed
      lane kind          sent indexed verified executed  p50  p95  p50  p95  p50  p95
      A→B  tokenAndData     1       1        1        1 0.50 0.50 2.00 2.00 3.00 3.00
      B→A  bigData          1       1        1        1 0.50 0.50 2.00 2.00  123  123
           all              2       2        2        2 0.50 0.50 2.00 2.00 3.00  123"
    `);
    expect(Math.max(...renderTable(snapshot(), { columns: 200, color: false }).map((line) => line.length))).toBe(79);
  });

  it('cuts lines on a narrower terminal', () => {
    const lines = renderTable(snapshot(), { columns: 40, color: false });
    expect(Math.max(...lines.map((line) => line.length))).toBe(40);
  });

  it('says at the end whether everything sent was executed', () => {
    const style = { columns: 80, color: false };
    expect(renderSummary(snapshot(), style).at(-1)).toBe('all 2 messages sent were executed, in 1:05');
    expect(renderSummary(snapshot(false), style).at(-1)).toBe(
      '1 of 2 messages sent were NOT executed (indexed 2, verified 1)',
    );
  });

  it('says whether everything was verified, where nothing is executed, and counts messages of others apart', () => {
    const progress = createLaneProgress(() => 0, 'verified');
    progress.sent(sent(1));
    for (const n of [1, 2]) progress.report(report(n, { executedMs: null }));
    const lines = renderSummary(progress.snapshot(), { columns: 80, color: false });
    expect(lines.at(-1)).toBe('all 1 messages sent were verified, in 0:00');
    expect(lines).toContain('1 verified besides, sent earlier or by others');
    expect(renderLine(progress.snapshot())).toBe('0:00  sent 1  indexed 1  verified 1  executed 0  besides verified 1');
    progress.sent(sent(3));
    expect(renderSummary(progress.snapshot(), { columns: 80, color: false }).at(-1)).toBe(
      '1 of 2 messages sent were NOT verified (indexed 1)',
    );
  });

  it('uses colour on a terminal only, and not with NO_COLOR or a dumb one', () => {
    const terminal = { isTTY: true, write: () => true };
    expect(tableStyle(terminal, {}).color).toBe(true);
    expect(tableStyle(terminal, { NO_COLOR: '1' }).color).toBe(false);
    expect(tableStyle(terminal, { NO_COLOR: '' }).color).toBe(true);
    expect(tableStyle(terminal, { TERM: 'dumb' }).color).toBe(false);
    expect(tableStyle({ write: () => true }, {}).color).toBe(false);
  });

  /** A clock whose period passes when the test says so. */
  function manualClock() {
    let tick: () => void = () => undefined;
    let cancelled = false;
    const clock: Clock = {
      nowMs: () => 0,
      monotonicMs: () => 0,
      sleep: async () => undefined,
      after: () => () => undefined,
      every(_periodMs, callback) {
        tick = callback;
        return () => {
          cancelled = true;
        };
      },
    };
    return { clock, tick: () => tick(), cancelled: () => cancelled };
  }

  it('draws over itself on a terminal and leaves the last table', () => {
    const written: string[] = [];
    const stream = { isTTY: true, columns: 80, rows: 24, write: (text: string) => written.push(text) };
    const { clock, tick, cancelled } = manualClock();
    const table = startLiveTable({
      clock,
      stream,
      env: { NO_COLOR: '1' },
      snapshot: () => snapshot(),
      notes: () => ['api', 'note'],
    });
    tick();
    tick();
    table.stop();
    table.stop();
    expect(written).toHaveLength(3);
    expect(written[0]).not.toContain('A\r');
    const drawn = written[0]!.split('\n').length - 1;
    expect(written[1]!.startsWith(`\u001b[${drawn}A\r\u001b[J1:05  api`)).toBe(true);
    expect(written[2]!.endsWith('\nnote\n')).toBe(true);
    expect(cancelled()).toBe(true);
  });

  it('never draws more lines than the screen has', () => {
    const written: string[] = [];
    const stream = { isTTY: true, columns: 80, rows: 4, write: (text: string) => written.push(text) };
    startLiveTable({ clock: manualClock().clock, stream, env: {}, snapshot: () => snapshot() }).stop();
    expect(written[0]!.split('\n')).toHaveLength(4);
  });

  it('writes plain lines where there is no terminal', () => {
    const written: string[] = [];
    const { clock, tick } = manualClock();
    const table = startLiveTable({
      clock,
      stream: { write: (text) => written.push(text) },
      env: {},
      snapshot: () => snapshot(),
    });
    tick();
    table.stop();
    expect(written[0]).toBe(`${renderLine(snapshot())}\n`);
    expect(written[0]).toBe('1:05  sent 2  indexed 2  verified 2  executed 2  executed after p50 3.00 s p95 123 s\n');
  });
});
