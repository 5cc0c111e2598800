import cliProgress from 'cli-progress';
import type { BackfillProgress } from '../chains/watch/chain-status.js';
import type { Clock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';

/** Shows how far the backfill of each chain is. */
export interface BackfillView {
  show(chain: string, progress: BackfillProgress): void;
  close(): void;
}

const LINE_EVERY_MS = 5_000;

/** Bars on a terminal, a log line every few seconds otherwise. */
export function createBackfillView({ log, clock }: { readonly log: Logger; readonly clock: Clock }): BackfillView {
  return process.stderr.isTTY ? createBars() : createLines(log, clock);
}

function createBars(): BackfillView {
  const bars = new Map<string, cliProgress.SingleBar>();
  const multi = new cliProgress.MultiBar(
    {
      format: '{chain} {bar} {percentage}% | {value}/{total} blocks | {events} events | {rate} blocks/s | {left} left',
      stream: process.stderr,
      clearOnComplete: false,
    },
    cliProgress.Presets.shades_classic,
  );
  return {
    show(chain, progress) {
      const bar = bars.get(chain) ?? multi.create(progress.blocksTotal, 0);
      bars.set(chain, bar);
      bar.setTotal(progress.blocksTotal);
      bar.update(progress.blocksDone, {
        chain,
        events: progress.events,
        rate: Math.round(progress.blocksPerSecond),
        left: progress.remainingMs === null ? '?' : `${Math.ceil(progress.remainingMs / 1_000)} s`,
      });
      if (progress.blocksDone >= progress.blocksTotal) {
        bar.stop();
        bars.delete(chain);
      }
    },
    close: () => multi.stop(),
  };
}

function createLines(log: Logger, clock: Clock): BackfillView {
  const shownMs = new Map<string, number>();
  return {
    show(chain, { blocksDone, blocksTotal, events, blocksPerSecond, eventsPerSecond, remainingMs }) {
      const nowMs = clock.monotonicMs();
      const done = blocksDone >= blocksTotal;
      if (!done && nowMs - (shownMs.get(chain) ?? -LINE_EVERY_MS) < LINE_EVERY_MS) return;
      shownMs.set(chain, nowMs);
      log.info({ chain, blocksDone, blocksTotal, events, blocksPerSecond, eventsPerSecond, remainingMs }, 'backfill');
    },
    close() {
      shownMs.clear();
    },
  };
}
