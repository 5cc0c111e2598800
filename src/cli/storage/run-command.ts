import { presentConfig } from '../../app/move/present-config.js';
import type { Config } from '../../config/schema/schema.js';
import { type Common, createCommon } from '../../core/common.js';
import { AbortedError } from '../../core/errors.js';
import { createLogger } from '../../core/logger.js';
import { createShutdown } from '../../core/shutdown.js';
import { readConfig } from '../config/read-config.js';
import type { ConfigOptions } from '../config-option.js';
import { onSignals } from '../signals.js';
import { createProgressView, type ProgressView } from './progress.js';

/** Options of every `storage` command. */
export interface StorageOptions extends ConfigOptions {
  /** Only this backend. */
  readonly backend?: string;
  readonly json?: boolean;
}

/** Dependencies of a command. */
export interface StorageCommand {
  readonly config: Config;
  readonly common: Common;
  readonly signal: AbortSignal;
  readonly progress: ProgressView;
}

/**
 * Runs a command until it is done or a signal ends it between two steps. While a move is under way the configuration is
 * that of its present phase: see `presentConfig`.
 * @returns the exit code of `work`, or 130 after a signal.
 * @throws ConfigError, IndexerError
 */
export async function runStorageCommand(
  options: ConfigOptions,
  work: (command: StorageCommand) => Promise<number>,
): Promise<number> {
  return await runCommand(readConfig(options), async (command) => {
    const present = presentConfig(command.config, command.common);
    return await work({ ...command, config: await unlessStopped(command.signal, present) });
  });
}

/** As `runStorageCommand`, for a configuration as it is written. */
export async function runCommand(config: Config, work: (command: StorageCommand) => Promise<number>): Promise<number> {
  // a service's log is noise beside a command's own words, its warnings are not
  const log = createLogger({ level: 'warn', format: config.Log.Format });
  const common = createCommon({ log });
  const shutdown = createShutdown({ log });
  const progress = createProgressView(common.clock);
  shutdown.add('progress', () => progress.close());
  const tell = () => {
    progress.close();
    process.stderr.write('stopping after the step under way; a second Ctrl-C ends at once\n');
  };
  void onSignals(shutdown, log, { tell });
  try {
    return await work({ config, common, signal: shutdown.signal, progress });
  } catch (thrown) {
    if (!(thrown instanceof AbortedError) || !shutdown.signal.aborted) throw thrown;
    progress.close();
    process.stderr.write('stopped: nothing is left half done, run the same command again\n');
    return 130;
  } finally {
    await shutdown.close();
  }
}

/**
 * Waits for work without side effects, at most until a signal.
 * @throws AbortedError then, and the error of `looking`.
 */
export async function unlessStopped<T>(signal: AbortSignal, looking: Promise<T>): Promise<T> {
  const looked = new AbortController();
  const stopped = new Promise<never>((_, reject) => {
    const stop = () => reject(new AbortedError('looking'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true, signal: looked.signal });
  });
  try {
    return await Promise.race([looking, stopped]);
  } finally {
    looked.abort();
  }
}
