import { Argument, Command, InvalidArgumentError } from 'commander';
import type { Hex } from '../core/hex.js';
import { withConfigOptions } from './config-option.js';
import { parseDuration } from './duration.js';
import type { InspectCommandOptions } from './inspect/run.js';

/** `ccv-indexer inspect` */
export function inspectCommand(): Command {
  return withConfigOptions(new Command('inspect'))
    .description('print all that every tier, node, verifier and aggregator knows of one message')
    .addArgument(new Argument('<message id>', '0x and 64 hex digits').argParser(parseId))
    .option('--limit <duration>', 'the longest that one part may take', parseDuration, 20_000)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Asks each durable tier by itself, the database for conflicts, quarantined input and replaced results, every RPC URL of
the source chain for the log, and every verifier and aggregator for its present answer. It only reads: an answer that it
gets is not stored. A part that gives none is shown with the reason. What is in memory belongs to a process: ask
/messages/<message id> of its admin port.

  tiers      what each holds, with its times and positions, and where two of them differ
  CCVs       those that the message names: stored, or missing and why
  chain      where the log is now by each node, and whether its block is final
  sources    what each verifier and aggregator says now

Exit code 0: the message is known, and the tiers agree about it. 1: no tier and no source knows it. 2: two tiers hold
other bytes of it.

  $ ccv-indexer inspect 0x1f… -c indexer.toml -s secrets.toml
  $ ccv-indexer inspect 0x1f… -c indexer.toml -s secrets.toml --json | jq '.ccvs'`,
    )
    .action(async (messageId: Hex, options: InspectCommandOptions) => {
      const { runInspect } = await import('./inspect/run.js');
      process.exitCode = await runInspect(messageId, options);
    });
}

function parseId(text: string): Hex {
  const id = text.trim().toLowerCase();
  if (!/^(0x)?[0-9a-f]{64}$/.test(id)) throw new InvalidArgumentError('Write a message id: 0x and 64 hex digits.');
  return id.startsWith('0x') ? (id as Hex) : `0x${id}`;
}
