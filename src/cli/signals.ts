import { isatty } from 'node:tty';
import type { Logger } from '../core/logger.js';
import type { Shutdown } from '../core/shutdown.js';

/** The deeds of signals beside their shutdown. */
export interface SignalOptions {
  /** Announces the shutdown. Default: a line of the log. */
  readonly tell?: (signal: NodeJS.Signals) => void;
  /** SIGHUP where no terminal is that could have gone away. Default: a shutdown. */
  readonly onHangUp?: (() => void) | undefined;
}

/**
 * The first SIGINT, SIGTERM or SIGHUP begins an orderly shutdown; the second SIGINT or SIGTERM ends the process at
 * once. A terminal that goes away sends SIGHUP, at times twice.
 * @returns resolves when a shutdown begins, by a signal or otherwise.
 */
export function onSignals(shutdown: Shutdown, log: Logger, options: SignalOptions = {}): Promise<void> {
  const { tell = (signal) => log.info({ signal }, 'stopping; a second signal ends at once'), onHangUp } = options;
  const hasTerminal = isatty(0) || isatty(2);
  const stop = (signal: NodeJS.Signals) => {
    if (shutdown.signal.aborted) {
      if (signal === 'SIGHUP') return;
      process.exit(130);
    }
    tell(signal);
    shutdown.close().catch((error: unknown) => {
      log.error({ err: error }, 'shutdown failed');
      process.exitCode = 1;
    });
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', (signal) => (onHangUp && !hasTerminal ? onHangUp() : stop(signal)));
  return new Promise((resolve) => {
    shutdown.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
