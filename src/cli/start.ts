import { Command } from 'commander';
import type { Role } from '../app/role.js';
import { withConfigOptions } from './config-option.js';
import type { StartOptions } from './run-role.js';

const SIGNALS = `
SIGTERM, SIGHUP or Ctrl-C drains: requests under way are answered, what was read is stored, then the process ends with
code 0. A second SIGTERM or Ctrl-C ends it at once; the next start goes on where the cursors stand.`;

/** `ccv-indexer start` */
export function startCommand(): Command {
  return roleCommand('start', 'both', 'index and answer in one process').addHelpText(
    'after',
    `
Watches every [[Chain]], asks every [[Verifier]], stores what they say and answers the query API, all in one process.
${SIGNALS}

  $ ccv-indexer start -c indexer.toml -s secrets.toml
  $ curl localhost:8100/v1/messages            what was found
  $ curl localhost:8101/status                 how far each source is, what each tier covers`,
  );
}

/** `ccv-indexer worker` */
export function workerCommand(): Command {
  return roleCommand('worker', 'worker', 'index only: fill the storage, answer nothing but the admin port').addHelpText(
    'after',
    `
Any number of workers share one database: each chain has one owner at a time, and each message is asked for by one of
them. What a worker leaves behind the others take over. ${SIGNALS}

  $ ccv-indexer worker -c indexer.toml -s secrets.toml
  $ curl localhost:8101/status                 how far each source is, what each tier covers
  $ ccv-indexer status -c indexer.toml         which workers are there, and who owns which chain`,
  );
}

/** `ccv-indexer api` */
export function apiCommand(): Command {
  return roleCommand('api', 'api', 'answer only: serve the query API from a database that workers fill').addHelpText(
    'after',
    `
Any number of replicas. Each keeps its own hot tier, filled and kept current by following the database; a replica that
loses sight of the database answers 503 and never less than the truth. A cold tier is read; flushing, compacting and
deleting there is left to those who write.
${SIGNALS}

  $ ccv-indexer api -c indexer.toml -s secrets.toml
  $ curl localhost:8100/v1/messages            what was found`,
  );
}

function roleCommand(name: string, role: Role, description: string): Command {
  return withConfigOptions(new Command(name))
    .description(description)
    .option('--migrate', 'bring the database schema up to date first', false)
    .action(async (options: StartOptions) => {
      // loaded when it is needed, so that --help answers at once
      const { runRole } = await import('./run-role.js');
      await runRole(role, options);
    });
}
