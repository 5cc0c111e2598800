import type { Config } from '../../config/schema.js';
import { type Common, createCommon } from '../../core/common.js';
import { AbortedError } from '../../core/errors.js';
import { createLogger } from '../../core/logger.js';
import { createShutdown } from '../../core/shutdown.js';
import { type ConfigOptions, readConfig } from '../config-option.js';
import { onSignals } from '../signals.js';
import { createProgressView, type ProgressView } from './progress.js';

/** What every `storage` command is called with. */
export interface StorageOptions extends ConfigOptions {
  /** Only this backend. */
  readonly backend?: string;
  readonly json?: boolean;
}

/** What a command works with. */
export interface StorageCommand {
  readonly config: Config;
  readonly common: Common;
  readonly signal: AbortSignal;
  readonly progress: ProgressView;
}

/**
 * Runs a command until it is done or a signal ends it between two steps.
 * @returns the exit code: 0, what `work` says, or 130 after a signal.
 * @throws ConfigError, IndexerError
 */
export async function runStorageCommand(
  options: ConfigOptions,
  work: (command: StorageCommand) => Promise<number>,
): Promise<number> {
  const config = readConfig(options);
  // what a service would log is noise beside a command's own words, warnings are not
  const log = createLogger({ level: 'warn', format: config.Log.Format });
  const common = createCommon({ log });
  const shutdown = createShutdown({ log });
  void onSignals(shutdown, log);
  const progress = createProgressView(common.clock);
  shutdown.add('progress', () => progress.close());
  try {
    return await work({ config, common, signal: shutdown.signal, progress });
  } catch (thrown) {
    if (!(thrown instanceof AbortedError) || !shutdown.signal.aborted) throw thrown;
    progress.close();
    process.stderr.write('stopped; what was done stays done, and the same command goes on from here\n');
    return 130;
  } finally {
    await shutdown.close();
  }
}
