import cliProgress from 'cli-progress';
import type { Clock } from '../../core/clock.js';
import { formatBytes, formatCount } from '../amounts.js';

/** How far a step is. `total`: null while it is not known. */
export interface StepProgress {
  readonly step: string;
  readonly done: number;
  readonly total: number | null;
  /** `bytes` is shown as an amount. */
  readonly unit: string;
}

/** Shows how far a command is, on standard error so that results stay apart. */
export interface ProgressView {
  show(progress: StepProgress): void;
  /** Leaves the last line. Idempotent. */
  close(): void;
}

const LINE_EVERY_MS = 5_000;

/** A bar a step on a terminal; elsewhere a line now and then, and one when a step is done. */
export function createProgressView(clock: Clock, stream: NodeJS.WriteStream = process.stderr): ProgressView {
  return stream.isTTY ? createBars(stream) : createLines(clock, stream);
}

function createBars(stream: NodeJS.WriteStream): ProgressView {
  let bar: cliProgress.SingleBar | null = null;
  let step = '';
  const end = () => {
    bar?.stop();
    bar = null;
  };
  return {
    show(progress) {
      if (bar === null || step !== progress.step) {
        end();
        step = progress.step;
        bar = new cliProgress.SingleBar(
          { format: '{step} {bar} {percentage}% | {amount}', stream, clearOnComplete: false },
          cliProgress.Presets.shades_classic,
        );
        bar.start(1, 0, { step, amount: amountOf(progress) });
      }
      // work without a known end is an empty bar with a number that grows
      bar.setTotal(Math.max(1, progress.total ?? Number.MAX_SAFE_INTEGER));
      bar.update(progress.total === 0 ? 1 : progress.done, { step, amount: amountOf(progress) });
    },
    close: end,
  };
}

function createLines(clock: Clock, stream: NodeJS.WriteStream): ProgressView {
  let step = '';
  let shownMs = Number.NEGATIVE_INFINITY;
  let isShown = true;
  let last: StepProgress | null = null;
  const write = (progress: StepProgress) => {
    stream.write(`${progress.step}: ${amountOf(progress)}\n`);
    shownMs = clock.monotonicMs();
    isShown = true;
  };
  const finish = () => {
    if (last !== null && !isShown) write(last);
    last = null;
  };
  return {
    show(progress) {
      if (progress.step !== step) {
        finish();
        step = progress.step;
        shownMs = clock.monotonicMs();
      }
      last = progress;
      isShown = false;
      if (clock.monotonicMs() - shownMs >= LINE_EVERY_MS) write(progress);
    },
    close: finish,
  };
}

function amountOf({ done, total, unit }: StepProgress): string {
  if (unit === 'bytes') return total === null ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`;
  return total === null ? `${formatCount(done)} ${unit}` : `${formatCount(done)} of ${formatCount(total)} ${unit}`;
}
