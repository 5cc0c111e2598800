import { Command } from 'commander';
import { withConfigOptions } from './config-option.js';
import type { StatusOptions } from './status/run.js';

/** `ccv-indexer status` */
export function statusCommand(): Command {
  return withConfigOptions(new Command('status'))
    .description('who of the workers is there, and who owns which source since when')
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Asks the database, read-only: no process has to run, none is disturbed. A worker that died is shown until its lease has
ended. Tiers: ccv-indexer storage status. Cursors, lag and tasks of one process: the /status page of its admin port.

  epoch   rises with every owner of a source

  $ ccv-indexer status -c indexer.toml -s secrets.toml
  $ ccv-indexer status -c indexer.toml --json | jq '.leases[] | select(.owner == null)'`,
    )
    .action(async (options: StatusOptions) => {
      const { runStatus } = await import('./status/run.js');
      process.exitCode = await runStatus(options);
    });
}
