import { Command } from 'commander';
import { withConfigOptions } from './config-option.js';
import type { StatusOptions } from './status/run.js';

/** `ccv-indexer status` */
export function statusCommand(): Command {
  return withConfigOptions(new Command('status'))
    .description('what a running process says of itself, on one screen; without one, who of the workers is there')
    .option('--watch', 'go on, once a second, until Ctrl-C', false)
    .option('--url <url>', 'the admin port of the process: default that of the configuration, on this machine')
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Asks the admin port for /status: version, tiers, chains with their heads, aggregators, verifiers, unfinished messages,
workers. Where no process answers, the database tells which workers are there and who owns which source.
A worker that died is shown until its lease has ended. Tiers in full: ccv-indexer storage status.

  $ ccv-indexer status -c indexer.toml -s secrets.toml --watch
  $ ccv-indexer status -c indexer.toml --url http://10.0.0.7:8101
  $ ccv-indexer status -c indexer.toml --json | jq '.leases[] | select(.owner == null)'`,
    )
    .action(async (options: StatusOptions) => {
      const { runStatus } = await import('./status/run.js');
      process.exitCode = await runStatus(options);
    });
}
