import { Command } from 'commander';
import { withConfigOptions } from './config-option.js';
import { parseDuration } from './duration.js';
import type { CompactOptions, VacuumOptions } from './storage/maintain.js';
import type { RestoreCommandOptions } from './storage/restore.js';
import type { StorageOptions } from './storage/run-command.js';
import type { UpgradeOptions } from './storage/upgrade.js';

/** `ccv-indexer storage` */
export function storageCommand(): Command {
  const command = new Command('storage')
    .description('look at the tiers, look after the cold one, rebuild a database from it')
    .addHelpText(
      'after',
      `
All of these work beside running processes, except where they say otherwise. Progress goes to standard error, results
to standard output, as JSON with --json. Ctrl-C ends them between two steps with exit code 130, a second one at once;
what was done stays done, and nothing is left half done. A cold tier that holds nothing of the namespace is an error
everywhere but in status: more often than a new tier it is a mistyped name.

  $ ccv-indexer storage status -c indexer.toml
  $ ccv-indexer storage verify -c indexer.toml -s secrets.toml`,
    );
  for (const child of [
    statusCommand(),
    compactCommand(),
    vacuumCommand(),
    verifyCommand(),
    rollbackCommand(),
    upgradeCommand(),
    restoreCommand(),
  ])
    command.addCommand(child);
  return command;
}

function statusCommand(): Command {
  return storageSubcommand('status', 'what every tier covers and holds, how large it is, how far behind')
    .option('--backend <name>', 'only this backend')
    .addHelpText(
      'after',
      `
Looks at the databases and object stores themselves, read-only: no process has to run, none is disturbed. A backend that
cannot be reached is shown as such, with the reason; the others are shown all the same. What is in memory belongs to a
process: ask the /status page of its admin port.

  complete for positions   every change from the first to the last of these is there
  small, to compact        files that are worth merging, and what the next compaction would rewrite
  waiting for vacuum       files that nothing needs any more and that are deleted after Grace
  pruning … waits for      a database has records older than Retention, which that backend does not hold yet

Exit code 0: every backend was looked at. 1: one could not be reached.

  $ ccv-indexer storage status -c indexer.toml -s secrets.toml
  $ ccv-indexer storage status -c indexer.toml -s secrets.toml --json | jq '.tiers[] | {backend, lag}'`,
    )
    .action(async (options: StorageOptions) => {
      const { status } = await import('./storage/status.js');
      process.exitCode = await status(options);
    });
}

function compactCommand(): Command {
  return storageSubcommand('compact', 'merge small files of the cold tier')
    .option('--backend <name>', 'only this cold backend')
    .option('--full', 'also what is not worth it: as few files as possible, whatever it costs', false)
    .addHelpText(
      'after',
      `
Processes do this by themselves every CompactInterval; by hand it is for a namespace with CompactInterval = 0, or
before other programs read the tables. Answers stay the same throughout. What is replaced stays for those who are
reading it, and is deleted by a vacuum after Grace. Interrupted, it leaves nothing half done: the same command goes
on.

  $ ccv-indexer storage compact -c indexer.toml -s secrets.toml
  $ ccv-indexer storage compact -c indexer.toml -s secrets.toml --full --json`,
    )
    .action(async (options: CompactOptions) => {
      const { compact } = await import('./storage/maintain.js');
      process.exitCode = await compact(options);
    });
}

function vacuumCommand(): Command {
  return storageSubcommand('vacuum', 'delete files of the cold tier that nothing needs any more')
    .option('--backend <name>', 'only this cold backend')
    .option('--dry-run', 'delete nothing, say what would be', false)
    .option('--grace <duration>', 'spare what became needless later than this ago (default: Grace)', parseDuration)
    .option('--force', 'take a grace that is too short for running processes: only while there are none', false)
    .addHelpText(
      'after',
      `
Deletes files that a compaction replaced, files that a crash left before anything named them, and log entries that a
checkpoint stands for, each when it is older than the grace. Processes do this by themselves every VacuumInterval.

A reader may hold a file that was replaced, and a flush stores its files before it names them: with a grace that is
shorter than either takes, records could be lost. Such a grace is refused without --force.

  $ ccv-indexer storage vacuum -c indexer.toml -s secrets.toml --dry-run
  $ ccv-indexer storage vacuum -c indexer.toml -s secrets.toml --grace 24h`,
    )
    .action(async (options: VacuumOptions) => {
      const { vacuum } = await import('./storage/maintain.js');
      process.exitCode = await vacuum(options);
    });
}

function verifyCommand(): Command {
  return storageSubcommand('verify', 'read everything in the cold tier back and check it')
    .option('--backend <name>', 'only this cold backend')
    .addHelpText(
      'after',
      `
Checks the logs against the rules of Delta Lake, every data file against its checksums and statistics, every index
against its file, and the order and positions of all rows. Every problem is named with what to do about it, not only
the first. Reads all there is: expect the time and the cost of that.

Exit code 0: everything is as it must be. 1: it is not, or it could not be read.

  $ ccv-indexer storage verify -c indexer.toml -s secrets.toml
  $ ccv-indexer storage verify -c indexer.toml -s secrets.toml --json | jq '.[].problems'`,
    )
    .action(async (options: StorageOptions) => {
      const { verify } = await import('./storage/maintain.js');
      process.exitCode = await verify(options);
    });
}

function rollbackCommand(): Command {
  return storageSubcommand('rollback', 'take back what other programs have committed to the tables of the cold tier')
    .option('--backend <name>', 'only this cold backend')
    .addHelpText(
      'after',
      `
Other programs may read the tables, not write to them. One that did it all the same (a deletion, an optimization) makes
every process refuse the cold tier. This puts each table back to the version before that, with a commit of its own;
nothing that ccv-indexer has committed is lost. Files that the other program has deleted from the store are named, and
then nothing is changed.

  $ ccv-indexer storage rollback -c indexer.toml -s secrets.toml`,
    )
    .action(async (options: StorageOptions) => {
      const { rollback } = await import('./storage/maintain.js');
      process.exitCode = await rollback(options);
    });
}

function upgradeCommand(): Command {
  return storageSubcommand('upgrade', 'copy a cold tier of format 1, an older version of ccv-indexer, to a new place')
    .requiredOption('--from <place>', 'Prefix in the bucket, or Directory, of the tier in format 1')
    .option('--backend <name>', 'the cold backend (default: the only one)')
    .addHelpText(
      'after',
      `
Stop every process of the namespace first. Write a new Prefix (or Directory) into the S3 table of the backend, and
name the one that it had before with --from. The old tier is only read: it stays as it is, and can be deleted when the
new one has proved itself. Killed or stopped, the same command goes on after the last day that it has copied. Until it
has ended, no process opens the copy.

Afterwards start the processes, which go on at the position of the copy.

  $ ccv-indexer storage upgrade -c indexer.toml -s secrets.toml --from cold
  $ ccv-indexer storage verify -c indexer.toml -s secrets.toml`,
    )
    .action(async (options: UpgradeOptions) => {
      const { upgrade } = await import('./storage/upgrade.js');
      process.exitCode = await upgrade(options);
    });
}

function restoreCommand(): Command {
  return storageSubcommand(
    'restore',
    'bring back from the cold tier what a Postgres backend lost, all of it or the last commits',
  )
    .option('--from <name>', 'the cold backend to read from (default: the only one)')
    .option('--to <name>', 'the Postgres backend to fill (default: the one that leads)')
    .option('--force', 'go on although other processes are connected; those may answer queries, not write', false)
    .addHelpText(
      'after',
      `
Stop every worker first. A database that is lost: create an empty one (or drop the namespace's schema). A database
that is behind (FOLLOWER_AHEAD: a failover to a replica that lacked the last commits, a restore from a backup): leave
it as it is. The schema is brought up to date, then all that the database lacks is taken over with its times and
positions, page by page. Killed or stopped, the same command goes on where it was. In the end both are counted and
compared. What the cold tier had not flushed when the database was lost (up to FlushInterval) is found again by the
workers: cursors come back with the records.

Refuses a database that holds other commits than the cold tier at the same positions (DIVERGED: it was written to
after the failover, or filled from somewhere else; the error says how to go on), and one that others are connected to.

Exit code 0: the database holds what the cold tier does. 1: it does not, or the restore was refused.

  $ ccv-indexer storage restore -c indexer.toml -s secrets.toml
  $ ccv-indexer start -c indexer.toml -s secrets.toml`,
    )
    .action(async (options: RestoreCommandOptions) => {
      const { restore } = await import('./storage/restore.js');
      process.exitCode = await restore(options);
    });
}

function storageSubcommand(name: string, description: string): Command {
  return withConfigOptions(new Command(name)).description(description).option('--json', 'print JSON', false);
}
