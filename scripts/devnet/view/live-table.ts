import type { Clock } from '../../../src/core/clock.js';
import { type ProgressRow, type ProgressSnapshot, STEPS, type Step, type StepLatency } from '../lane/lane-progress.js';
import { renderTiers, renderTiersBriefly, type TierSnapshot } from './tier-table.js';

/** How text is laid out. */
export interface TableStyle {
  /** Longer lines are cut. */
  readonly columns: number;
  readonly color: boolean;
}

/** A stream to draw on: `process.stdout`, or one like it. */
export interface TableStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** A table that is kept up to date on a terminal, or now and then a line where there is none. */
export interface LiveTable {
  /** Draws a last time and leaves the lines. Idempotent. */
  stop(): void;
}

/** Dependencies of the table. */
export interface LiveTableOptions {
  readonly clock: Clock;
  readonly stream: TableStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly snapshot: () => ProgressSnapshot;
  /** Records and answers of the tiers of the indexer; null while they are not known. */
  readonly tiers?: () => TierSnapshot | null;
  /** Lines under the table, such as where the API is. */
  readonly notes?: () => readonly string[];
}

const REDRAW_MS = 500;
const LINE_MS = 5_000;
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;
const LANE_WIDTH = 4;
const KIND_WIDTH = 13;
const COUNT_WIDTHS = [6, 8, 9, 9] as const;
const TIME_WIDTH = 5;

const DIM = '\u001b[2m';
const GREEN = '\u001b[32m';
const PLAIN = '\u001b[0m';

/** The table: a row for each lane and kind, times in seconds since the message was submitted. 79 columns wide. */
export function renderTable(snapshot: ProgressSnapshot, style: TableStyle): string[] {
  const paint = (code: string, text: string) => (style.color ? `${code}${text}${PLAIN}` : text);
  const cut = (line: string) => line.slice(0, style.columns);
  const names = ['sent', ...STEPS].map((name, index) => name.padStart(COUNT_WIDTHS[index] ?? 0)).join('');
  const left = 'lane'.padEnd(LANE_WIDTH) + ' kind'.padEnd(KIND_WIDTH) + names;
  const groups = STEPS.map((step) => step.padStart(2 * TIME_WIDTH)).join('');
  const quantiles = STEPS.map(() => 'p50'.padStart(TIME_WIDTH) + 'p95'.padStart(TIME_WIDTH)).join('');
  const lines = [
    paint(DIM, cut('seconds until'.padStart(left.length) + groups)),
    paint(DIM, cut(left + quantiles)),
    ...[...snapshot.rows, snapshot.total].map((row) => renderRow(row, snapshot.goal, cut, paint)),
  ];
  const { carriedOver, goal } = snapshot;
  if (carriedOver > 0) lines.push(cut(`${carriedOver} ${goal} besides, sent earlier or by others`));
  return lines;
}

function renderRow(
  row: ProgressRow,
  goal: Step,
  cut: (line: string) => string,
  paint: (code: string, text: string) => string,
): string {
  const counts = [row.sent, ...STEPS.map((step) => row.reached[step])];
  const line =
    row.lane.padEnd(LANE_WIDTH) +
    ` ${row.kind}`.padEnd(KIND_WIDTH) +
    counts.map((count, index) => String(count).padStart(COUNT_WIDTHS[index] ?? 0)).join('') +
    STEPS.map((step) => renderLatency(row.latency[step])).join('');
  return row.sent > 0 && row.reached[goal] === row.sent ? paint(GREEN, cut(line)) : cut(line);
}

function renderLatency(latency: StepLatency | null): string {
  const times = latency === null ? ['–', '–'] : [seconds(latency.p50Ms), seconds(latency.p95Ms)];
  return times.map((time) => time.padStart(TIME_WIDTH)).join('');
}

/** At most four characters up to 9 999 s. */
function seconds(ms: number): string {
  const value = ms / 1_000;
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}

/** The same in one line, for a log file. */
export function renderLine(snapshot: ProgressSnapshot, tiers: TierSnapshot | null = null): string {
  const { elapsedMs, total, goal, carriedOver } = snapshot;
  const counts = STEPS.map((step) => `${step} ${total.reached[step]}`).join('  ');
  const { executed } = total.latency;
  const times =
    executed === null ? '' : `  executed after p50 ${seconds(executed.p50Ms)} s p95 ${seconds(executed.p95Ms)} s`;
  const besides = carriedOver === 0 ? '' : `  besides ${goal} ${carriedOver}`;
  const held = tiers === null ? '' : `  tiers ${renderTiersBriefly(tiers)}`;
  return `${duration(elapsedMs)}  sent ${total.sent}  ${counts}${besides}${times}${held}`;
}

/** The lines about tiers, the first of them dim; none while nothing is known. */
export function renderTierLines(tiers: TierSnapshot | null, style: TableStyle): string[] {
  if (tiers === null) return [];
  return renderTiers(tiers).map((line, index) => {
    const cut = line.slice(0, style.columns);
    return index === 0 && style.color ? `${DIM}${cut}${PLAIN}` : cut;
  });
}

/** The end of a run: both tables, and one sentence that says whether everything sent reached the goal. */
export function renderSummary(
  snapshot: ProgressSnapshot,
  style: TableStyle,
  tiers: TierSnapshot | null = null,
): string[] {
  const { goal } = snapshot;
  const { sent, reached } = snapshot.total;
  const missing = sent - reached[goal];
  const other =
    goal === 'executed' ? `indexed ${reached.indexed}, verified ${reached.verified}` : `indexed ${reached.indexed}`;
  const verdict =
    missing === 0
      ? `all ${sent} messages sent were ${goal}, in ${duration(snapshot.elapsedMs)}`
      : `${missing} of ${sent} messages sent were NOT ${goal} (${other})`;
  const held = tiers === null ? [] : ['', ...renderTierLines(tiers, style)];
  return [...renderTable(snapshot, style), ...held, '', verdict.slice(0, style.columns)];
}

/** `m:ss`, or `h:mm:ss` from an hour on. */
function duration(ms: number): string {
  const whole = Math.floor(ms / 1_000);
  const parts = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

/** Colour and width for a stream: no colour where there is no terminal, where it is dumb, or where NO_COLOR is set. */
export function tableStyle(stream: TableStream, env: LiveTableOptions['env']): TableStyle {
  const color = stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  return { columns: stream.columns ?? DEFAULT_COLUMNS, color };
}

/** Starts drawing: twice a second over itself on a terminal, a line every five seconds elsewhere. */
export function startLiveTable(options: LiveTableOptions): LiveTable {
  const { clock, stream, env, snapshot, tiers = () => null, notes = () => [] } = options;
  const redraws = stream.isTTY === true && env['TERM'] !== 'dumb';
  let drawnLines = 0;

  function redraw(): void {
    const style = tableStyle(stream, env);
    const now = snapshot();
    const title = `${duration(now.elapsedMs)}  ${notes()[0] ?? ''}`.slice(0, style.columns);
    const lines = [
      title,
      ...renderTable(now, style),
      ...renderTierLines(tiers(), style),
      ...notes()
        .slice(1)
        .map((note) => note.slice(0, style.columns)),
    ];
    // a line more than the screen has would scroll, and could not be drawn over
    const shown = lines.slice(0, (stream.rows ?? DEFAULT_ROWS) - 1);
    const back = drawnLines === 0 ? '' : `\u001b[${drawnLines}A\r`;
    stream.write(`${back}\u001b[J${shown.join('\n')}\n`);
    drawnLines = shown.length;
  }

  const draw = redraws ? redraw : () => stream.write(`${renderLine(snapshot(), tiers())}\n`);
  const cancel = clock.every(redraws ? REDRAW_MS : LINE_MS, draw);
  let stopped = false;
  return {
    stop() {
      if (stopped) return;
      stopped = true;
      cancel();
      draw();
    },
  };
}
