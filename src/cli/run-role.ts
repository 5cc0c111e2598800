import { ensureMigrated } from '../app/migrations.js';
import { ensureServed } from '../app/namespaces/serve.js';
import { checkRole, type Role, storageUse } from '../app/role.js';
import { type Service, startService } from '../app/service.js';
import { builtCommit, packageVersion } from '../app/version.js';
import { createCommon } from '../core/common.js';
import { toError } from '../core/errors.js';
import { createLogger, type Logger } from '../core/logger.js';
import { createShutdown } from '../core/shutdown.js';
import type { Tracing } from '../core/tracing.js';
import { createBackfillView } from './backfill-view.js';
import { readCheckedConfig } from './config/read-config.js';
import type { ConfigOptions } from './config-option.js';
import { onSignals } from './signals.js';

/** Options of `start`, `worker` and `api`. */
export interface StartOptions extends ConfigOptions {
  readonly migrate?: boolean;
}

/**
 * Runs a process of that role until a signal.
 * @throws ConfigError, IndexerError when it cannot start, and whatever broke it later.
 */
export async function runRole(role: Role, options: StartOptions): Promise<void> {
  const { config, warnings, notices } = readCheckedConfig(options);
  checkRole(role, config);
  let tracing: Tracing | null = null;
  const mixin = config.Tracing && ((line: object) => tracing?.logFields(line) ?? {});
  const log = createLogger({ level: config.Log.Level, format: config.Log.Format, ...(mixin && { mixin }) });
  for (const warning of warnings) log.warn(warning, 'the configuration has what is surely not meant');
  for (const notice of notices) log.info(notice, 'a key of the Go indexer has no meaning here');
  const untraced = createCommon({ log });
  const shutdown = createShutdown({ log });
  if (config.Tracing) {
    // the SDK is dozens of files, for those who trace
    const { openTracing } = await import('../app/tracing/open-tracing.js');
    const opened = openTracing(config.Tracing, role, untraced);
    shutdown.add('traces', () => opened.close());
    tracing = opened.tracing;
  }
  const common = { ...untraced, tracing };
  let service: Service | null = null;
  const onHangUp = () => void readAgain(options, () => service, log);
  const stopping = onSignals(shutdown, log, { onHangUp });

  async function start(): Promise<Service> {
    await ensureMigrated(config, common, { apply: options.migrate === true, use: storageUse(role) });
    if (role !== 'worker') await ensureServed(config, common);
    const backfill = createBackfillView({ log, clock: common.clock });
    shutdown.add('backfill view', () => backfill.close());
    return await startService({ config, role, common, shutdown, onBackfill: backfill.show });
  }

  try {
    // a signal ends a start that waits (for a silent database, for the migration of another process)
    service = await Promise.race([start(), stopping.then(() => null)]);
    if (service) {
      log.info(
        { role, version: packageVersion(), commit: builtCommit(), api: service.apiUrl, admin: service.adminUrl },
        'started',
      );
      await Promise.race([service.finished, stopping]);
    }
  } finally {
    await shutdown.close();
  }
  log.info('stopped');
}

/** Reads the files again for a running service. Whatever is wrong is in the log, and the process goes on as it was. */
async function readAgain(options: StartOptions, running: () => Service | null, log: Logger): Promise<void> {
  const service = running();
  if (service === null) return log.warn('the process is starting: send SIGHUP again once it has started');
  try {
    const { config, warnings } = readCheckedConfig(options);
    for (const warning of warnings) log.warn(warning, 'the configuration has what is surely not meant');
    await service.reload(config);
  } catch (thrown) {
    log.error({ err: toError(thrown) }, 'the configuration is not taken over: the process goes on with the one before');
  }
}
