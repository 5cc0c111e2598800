import type { Clock } from '../../core/clock.js';

const LINE_EVERY_MS = 5_000;
const CLEAR = '\r\u001b[K';

/** Shows which checks are under way, on standard error so that results stay apart. */
export interface WaitingLine {
  show(waiting: readonly string[]): void;
  /** Idempotent. */
  close(): void;
}

/** One line that is written over on a terminal; elsewhere a line now and then. */
export function createWaitingLine(clock: Clock, stream: NodeJS.WriteStream = process.stderr): WaitingLine {
  let text = '';
  let isShown = false;
  const show = () => {
    if (stream.isTTY) stream.write(`${CLEAR}${text.slice(0, stream.columns - 1)}`);
    else stream.write(`${text}\n`);
    isShown = true;
  };
  const cancel = stream.isTTY ? () => undefined : clock.every(LINE_EVERY_MS, show);
  return {
    show(waiting) {
      text = `looking at ${waiting.join(', ')}`;
      if (stream.isTTY && waiting.length > 0) show();
    },
    close() {
      cancel();
      if (stream.isTTY && isShown) stream.write(CLEAR);
      isShown = false;
    },
  };
}
