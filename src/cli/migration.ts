import { Command, InvalidArgumentError } from 'commander';
import { withConfigOptions } from './config-option.js';
import type { CompareOptions } from './migration/compare.js';
import type { CopyOptions } from './migration/copy.js';
import type { AbandonOptions, MoveOptions, WatchOptions } from './migration/move-context.js';

/** `ccv-indexer migration` */
export function migrationCommand(): Command {
  const command = new Command('migration')
    .description('move a deployment to another database without stopping it, with a way back')
    .addHelpText(
      'after',
      `
Both databases are Postgres backends of the configuration of every process, and [Migration] names them:

  [Migration]
  From = "old"
  To   = "new"

Instead of From, a table [Migration.GoIndexer] with URI and TimeZone names the database of a Go indexer, which goes on
writing it until it is stopped for 'switch'; config/README.md tells that way.

Until 'start' nothing but From is used. The commands, in order; every running process follows each within seconds:

  prepare    both databases are there, and the move has a record in both           reads: From   written: From
  start      the new one takes every commit over from now on                       reads: From   written: both
  backfill   the workers bring it what came before, page by page                   reads: From   written: both
  compare    both are compared record by record                                    reads: From   written: both
  switch     the new one leads; the old one is kept in step as a backup            reads: To     written: both
  finish     the old one is released; nothing in it is deleted                     reads: To     written: To
  rollback   back to the old one, from any phase before 'finish', without loss     reads: From   written: From

  copy       a bucket, a directory or a database that nothing writes to, to another backend

A command whose conditions do not hold changes nothing, and says which one to run instead. --dry-run says all of its
conditions. Killed in the middle, the same command goes on; so do the workers by themselves.

  $ ccv-indexer migration prepare -c indexer.toml -s secrets.toml
  $ ccv-indexer migration status -c indexer.toml -s secrets.toml --watch`,
    );
  for (const child of [
    prepareCommand(),
    statusCommand(),
    startCommand(),
    backfillCommand(),
    compareCommand(),
    switchCommand(),
    rollbackCommand(),
    finishCommand(),
    copyCommand(),
  ])
    command.addCommand(child);
  return command;
}

function prepareCommand(): Command {
  return step('prepare', 'check both databases, and keep a record of the move in both')
    .option('--from <name>', 'the backend that is left (default, and checked against: From of [Migration])')
    .option('--to <name>', 'the backend that takes its place (default, and checked against: To of [Migration])')
    .addHelpText(
      'after',
      `
Bring the schemas up to date first ('ccv-indexer migrate up'), and restart every process with [Migration] in its
configuration: they go on as before. The new database is empty, or holds a part of what the old one does, as after a
rollback.

  $ ccv-indexer migration prepare -c indexer.toml -s secrets.toml --dry-run`,
    )
    .action(async (options: MoveOptions & { readonly from?: string; readonly to?: string }) => {
      const { runStep } = await import('./migration/steps.js');
      process.exitCode = await runStep('prepare', options);
    });
}

function statusCommand(): Command {
  return withConfigOptions(new Command('status'))
    .description('the phase, both databases, the lag, the processes, and the conditions of the next command')
    .option('--json', 'print JSON', false)
    .option('--watch', 'go on, once a second, until Ctrl-C', false)
    .addHelpText(
      'after',
      `
Exit code 0: the databases answered. 1: one did not.

  $ ccv-indexer migration status -c indexer.toml -s secrets.toml
  $ ccv-indexer migration status -c indexer.toml -s secrets.toml --json | jq .phase`,
    )
    .action(async (options: WatchOptions) => {
      const { showStatus } = await import('./migration/steps.js');
      process.exitCode = await showStatus(options);
    });
}

function startCommand(): Command {
  return step('start', 'write to both: the new database takes every commit over from now on')
    .addHelpText(
      'after',
      `
The old database leads and must take every write. The new one follows: when it fails, no write waits or fails, and it
is brought up to date as soon as it is back. An empty one begins at the present position; what came before is brought
by 'backfill'.

  $ ccv-indexer migration start -c indexer.toml -s secrets.toml`,
    )
    .action(async (options: MoveOptions) => {
      const { runStep } = await import('./migration/steps.js');
      process.exitCode = await runStep('start', options);
    });
}

function backfillCommand(): Command {
  return step('backfill', 'bring the new database what came before it began, and wait until it is there')
    .option('--no-wait', 'only begin it')
    .addHelpText(
      'after',
      `
The workers do it, within the limits of [Migration]: RowsPerSecond, MaxLatency of the old database, MaxReplicationLag
of its standbys. Page by page, each with how far it is: whatever dies, it goes on from there. A record is taken over
unless a later state of it is there. Ctrl-C ends the waiting, not the work.

Out of a Go indexer's database this command does the work itself, and follows until Ctrl-C; with --no-wait until
everything is there.

  $ ccv-indexer migration backfill -c indexer.toml -s secrets.toml`,
    )
    .action(async (options: MoveOptions & { readonly wait: boolean }) => {
      const { backfill } = await import('./migration/steps.js');
      process.exitCode = await backfill(options);
    });
}

function compareCommand(): Command {
  return step('compare', 'compare both databases record by record')
    .option('--repair', 'mend the new database where they differ, and compare again', false)
    .option('--shadow <share>', 'ask the new database this share (0 to 1) of live questions as well', parseShare)
    .option('--list <number>', 'list at most so many differences', parseCount, 20)
    .addHelpText(
      'after',
      `
Every record of both, with its times, position and bytes, while both are written to: counts and hashes by the hour, and
each record that differs by name. Reads all there is, within the limits of [Migration]. The outcome
is kept: 'switch' needs a comparison without a difference. --repair takes the old database as right.

With --shadow 0.05 the processes ask the new database one live question in twenty too, after they have answered it, and
compare the answers byte by byte, until the phase ends: 'migration status' shows what they found.

Exit code 0: no difference. 1: there are some.

  $ ccv-indexer migration compare -c indexer.toml -s secrets.toml
  $ ccv-indexer migration compare -c indexer.toml -s secrets.toml --repair --shadow 0.05`,
    )
    .action(async (options: CompareOptions) => {
      const { compare } = await import('./migration/compare.js');
      process.exitCode = await compare(options);
    });
}

function switchCommand(): Command {
  return step('switch', 'let the new database lead, and be read')
    .option('--abandon-old', 'after a rollback that was cut: although the old one does not answer', false)
    .addHelpText(
      'after',
      `
The old one ends its lead at a commit, the new one takes over what it lacks of that, and begins its lead there: with
the same records, times and positions. Writes wait meanwhile, usually for less than a second; none is lost, and none
is made in both. From then on the old one follows, and a write is acknowledged when it has that too (BackupRequired).
After a rollback that was cut it lets the new one lead again.

  $ ccv-indexer migration switch -c indexer.toml -s secrets.toml --dry-run`,
    )
    .action(async (options: AbandonOptions) => {
      const { handOver } = await import('./migration/steps.js');
      process.exitCode = await handOver('switch', options);
    });
}

function rollbackCommand(): Command {
  return step('rollback', 'go back to the old database')
    .option('--abandon-new', 'although the new one led and does not answer: only when no process writes to it', false)
    .addHelpText(
      'after',
      `
Before 'switch' the new database is left as it is, and 'prepare' can begin another move with it. After 'switch' the
lead is handed back as it was handed over: the old one has every acknowledged write.

A new database that is lost for good cannot hand over. With --abandon-new the old one leads from where it stands;
with BackupRequired (the default) that is everything that was acknowledged.

  $ ccv-indexer migration rollback -c indexer.toml -s secrets.toml`,
    )
    .action(async (options: AbandonOptions) => {
      const { handOver } = await import('./migration/steps.js');
      process.exitCode = await handOver('rollback', options);
    });
}

function finishCommand(): Command {
  return step('finish', 'release the old database')
    .addHelpText(
      'after',
      `
From then on there is no way back without another move. Nothing is deleted: the old database stays as it is, and
refuses to be used. Afterwards take [Migration] and the old backend out of the configuration, at leisure.

  $ ccv-indexer migration finish -c indexer.toml -s secrets.toml`,
    )
    .action(async (options: MoveOptions) => {
      const { runStep } = await import('./migration/steps.js');
      process.exitCode = await runStep('finish', options);
    });
}

function copyCommand(): Command {
  return withConfigOptions(new Command('copy'))
    .description('copy a bucket, a directory or a database to another backend while nothing writes to it')
    .requiredOption('--from <name>', 'the backend to read')
    .requiredOption('--to <name>', 'the backend to fill: empty, or left by a copy that was ended')
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
For deployments that keep everything in an object store or a directory, and for those that go there. Stop every process
that writes to either; 'migration prepare' and the commands after it move a database without that. Records keep their
times and positions. Killed or stopped, the same command goes on where it was. In the end the two are compared record
by record. Afterwards take the old backend out of the configuration and start.

Exit code 0: the two hold the same. 1: they differ.

  $ ccv-indexer migration copy -c indexer.toml --from directory --to bucket`,
    )
    .action(async (options: CopyOptions) => {
      const { copy } = await import('./migration/copy.js');
      process.exitCode = await copy(options);
    });
}

function step(name: string, description: string): Command {
  return withConfigOptions(new Command(name))
    .description(description)
    .option('--dry-run', 'change nothing, say whether each condition holds', false)
    .option('--json', 'print JSON', false);
}

function parseShare(text: string): number {
  const share = Number(text);
  if (!(share >= 0 && share <= 1)) throw new InvalidArgumentError('Write a number from 0 to 1.');
  return share;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 0) throw new InvalidArgumentError('Write a whole number.');
  return count;
}
