/** Shows on standard error how far a long step is. */
export interface Progress {
  update(done: number): void;
  /** Takes the line away again. */
  end(): void;
}

const TERMINAL_INTERVAL_MS = 500;
/** Where lines stay, fewer of them. */
const FILE_INTERVAL_MS = 15_000;
const CLEAR_LINE = '\r\x1b[2K';

/** `what`: for example `cold, directory: records built`. */
export function startProgress(what: string, total: number): Progress {
  const { isTTY } = process.stderr;
  const startMs = performance.now();
  let shownMs = isTTY ? Number.NEGATIVE_INFINITY : startMs;
  return {
    update(done) {
      const nowMs = performance.now();
      if (nowMs - shownMs < (isTTY ? TERMINAL_INTERVAL_MS : FILE_INTERVAL_MS)) return;
      shownMs = nowMs;
      const line = progressLine(what, done, total, nowMs - startMs);
      process.stderr.write(isTTY ? `${CLEAR_LINE}${line}` : `${line}\n`);
    },
    end() {
      if (isTTY) process.stderr.write(CLEAR_LINE);
    },
  };
}

/** Work done, its rate, and the time of the rest at that rate. */
export function progressLine(what: string, done: number, total: number, elapsedMs: number): string {
  const counts = `${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')}`;
  if (done === 0 || elapsedMs <= 0) return `${what}: ${counts}`;
  const perSecond = Math.round((done * 1_000) / elapsedMs).toLocaleString('en-US');
  const leftSeconds = Math.ceil((elapsedMs * (total - done)) / done / 1_000);
  return `${what}: ${counts}, ${perSecond}/s, ${leftSeconds} s left`;
}
