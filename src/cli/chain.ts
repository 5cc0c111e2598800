import { Command, InvalidArgumentError, Option } from 'commander';
import type { ResumeCommandOptions } from './chain/resume.js';
import { withConfigOptions } from './config-option.js';

/** `ccv-indexer chain` */
export function chainCommand(): Command {
  const command = new Command('chain').description('set a chain back, so that a range of it is read again').addHelpText(
    'after',
    `
  $ ccv-indexer chain resume ethereum --from 21000000 -c indexer.toml -s secrets.toml --dry-run`,
  );
  command.addCommand(resumeCommand());
  return command;
}

function resumeCommand(): Command {
  return withConfigOptions(new Command('resume'))
    .description('set the cursor of a chain back, after it halted or to read a range again')
    .argument('<chain>', 'Name of the [[Chain]]')
    .addOption(
      new Option('--from <block>', 'first block that is read again').argParser(parseBlock).makeOptionMandatory(),
    )
    .option('--dry-run', 'change nothing, say what would be', false)
    .option('--force', 'go on although other processes are connected; those may answer queries, not write', false)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
A chain halts (state "halted" in /status, FINALIZED_REORG in the log) when a block that was final has another hash.
Find out first which hash is right, with a block explorer. If the nodes are wrong, replace them in RpcUrls and start
again: nothing has to be set back. If the chain was really reorganised, stop every worker and set the chain back to
before the fork:

  $ ccv-indexer chain resume ethereum --from 21000000 -c indexer.toml -s secrets.toml --dry-run
  $ ccv-indexer chain resume ethereum --from 21000000 -c indexer.toml -s secrets.toml
  $ ccv-indexer start -c indexer.toml -s secrets.toml

--from is the first block that is not what it was, or any block before it: a lower one costs time, nothing else. One
that is too high is refused where a stored message shows it. The hash of the block before --from is taken from the
nodes in RpcUrls; all that answer must agree.

One transaction sets back every cursor of the chain that stands at or above --from. The worker then reads the range
again: messages that are where they were stay as they are, those in another block are moved, new ones are added, and
what is gone leaves every list, stays readable by id as orphaned, and comes back if the chain brings it back.
Ingestion times and positions only rise, so clients miss nothing.

Exit code 0: the cursor was set back, or would be. 1: it was refused, with the reason and what to do.`,
    )
    .action(async (chain: string, options: ResumeCommandOptions) => {
      const { resumeChain } = await import('./chain/resume.js');
      process.exitCode = await resumeChain(chain, options);
    });
}

function parseBlock(text: string): number {
  const block = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (block < 1) throw new InvalidArgumentError('write a block number of at least 1');
  return block;
}
