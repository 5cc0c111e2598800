import type { Logger } from '../core/logger.js';
import type { Shutdown } from '../core/shutdown.js';

/**
 * The first SIGINT or SIGTERM begins an orderly shutdown, the second ends the process at once.
 * @returns resolves when the shutdown begins, whoever asked for it.
 */
export function onSignals(shutdown: Shutdown, log: Logger): Promise<void> {
  const stop = (signal: NodeJS.Signals) => {
    if (shutdown.signal.aborted) process.exit(130);
    log.info({ signal }, 'stopping; a second signal ends at once');
    shutdown.close().catch((error: unknown) => {
      log.error({ err: error }, 'shutdown failed');
      process.exitCode = 1;
    });
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return new Promise((resolve) => {
    shutdown.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
