import type { Logger } from '../core/logger.js';
import type { Shutdown } from '../core/shutdown.js';

/**
 * The first SIGINT, SIGTERM or SIGHUP begins an orderly shutdown, which `tell` announces; the second SIGINT or SIGTERM
 * ends the process at once. SIGHUP does not mean "read the configuration again": a terminal that goes away sends it, at
 * times twice.
 * @returns resolves when a shutdown begins, by a signal or otherwise.
 */
export function onSignals(
  shutdown: Shutdown,
  log: Logger,
  tell: (signal: NodeJS.Signals) => void = (signal) => log.info({ signal }, 'stopping; a second signal ends at once'),
): Promise<void> {
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
  process.on('SIGHUP', stop);
  return new Promise((resolve) => {
    shutdown.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
