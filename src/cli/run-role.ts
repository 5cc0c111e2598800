import { ensureMigrated } from '../app/migrations.js';
import { ensureServed } from '../app/namespaces/serve.js';
import { checkRole, type Role, storageUse } from '../app/role.js';
import { type Service, startService } from '../app/service.js';
import { builtCommit, packageVersion } from '../app/version.js';
import { createCommon } from '../core/common.js';
import { createLogger } from '../core/logger.js';
import { createShutdown } from '../core/shutdown.js';
import { createBackfillView } from './backfill-view.js';
import { type ConfigOptions, readCheckedConfig } from './config-option.js';
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
  const log = createLogger({ level: config.Log.Level, format: config.Log.Format });
  for (const warning of warnings) log.warn(warning, 'the configuration has what is surely not meant');
  for (const notice of notices) log.info(notice, 'a key of the Go indexer has no meaning here');
  const common = createCommon({ log });
  const shutdown = createShutdown({ log });
  const stopping = onSignals(shutdown, log);

  async function start(): Promise<Service> {
    await ensureMigrated(config, common, { apply: options.migrate === true, use: storageUse(role) });
    if (role !== 'worker') await ensureServed(config, common);
    const backfill = createBackfillView({ log, clock: common.clock });
    shutdown.add('backfill view', () => backfill.close());
    return await startService({ config, role, common, shutdown, onBackfill: backfill.show });
  }

  try {
    // a signal ends a start that waits (for a silent database, for the migration of another process)
    const service = await Promise.race([start(), stopping.then(() => null)]);
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
