import { Command, InvalidArgumentError, Option } from 'commander';
import { IndexerError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import { withConfigOptions } from './config-option.js';
import type { RunOptions } from './replay/run.js';
import type { ShowOptions } from './replay/show.js';

interface ForcedOptions extends RunOptions {
  readonly force?: boolean;
}

const EXIT_CODES = `
Exit code 0: done, now or before. 1: failed or refused. 2: another process runs it. 3: done, and some messages are known
to no source. 130: stopped by a signal.`;

/** `ccv-indexer replay` */
export function replayCommand(): Command {
  const command = new Command('replay')
    .description('read messages, blocks or entries again, beside the running workers')
    .addHelpText(
      'after',
      `
A replay fills gaps: records that are stored stay as they are, and cursors do not move. With --force a verification
that a source now gives with other bytes replaces the stored one, which is kept in the table replacements; it and its
message get a new ingestion time, so that clients which poll by time see them again. A replay is a job in the database,
with a number. Ctrl-C, a crash or an error lose nothing: the same command, or resume, goes on where it ended. An equal
request while it runs elsewhere is shown, not started twice.

  $ ccv-indexer replay chain --chain ethereum --from 21000000 --to 21000500 -c indexer.toml -s secrets.toml
  $ ccv-indexer replay messages --ids 0x1f…,0x2e… -c indexer.toml -s secrets.toml
  $ ccv-indexer replay discovery --since 120000 -c indexer.toml -s secrets.toml
  $ ccv-indexer replay list -c indexer.toml
  $ ccv-indexer replay resume --id 7 -c indexer.toml -s secrets.toml`,
    );
  command.addCommand(chainReplay());
  command.addCommand(messagesReplay());
  command.addCommand(discoveryReplay());
  command.addCommand(resumeReplay());
  command.addCommand(statusReplay());
  command.addCommand(listReplays());
  return command;
}

function chainReplay(): Command {
  return withRunOptions(new Command('chain'))
    .description('read a range of blocks of one chain again')
    .requiredOption('--chain <name>', 'Name of the [[Chain]]')
    .addOption(wholeOption('--from <block>', 'first block', 0).makeOptionMandatory())
    .addOption(
      wholeOption('--to <block>', 'last block, at most the one up to which the chain is read', 0).makeOptionMandatory(),
    )
    .addHelpText(
      'after',
      `
Messages of the OnRamps of the chain that are missing are stored, and verified by the workers like any other. Blocks
that the worker has yet to read are refused: it reads them anyway. A chain that halted is a case for chain resume.

  $ ccv-indexer replay chain --chain ethereum --from 21000000 --to 21000500 -c indexer.toml -s secrets.toml
${EXIT_CODES}`,
    )
    .action(async (options: RunOptions & { readonly chain: string; readonly from: number; readonly to: number }) => {
      const { runWish } = await import('./replay/run.js');
      const { chain, from, to } = options;
      process.exitCode = await runWish(options, () => ({ kind: 'chain', chain, from, to }));
    });
}

function messagesReplay(): Command {
  return withRunOptions(new Command('messages'))
    .description('ask the verifiers of some messages again')
    .addOption(new Option('--ids <ids>', 'message ids, with commas between them').argParser(parseIds))
    .option('--force', 'replace stored verifications where a source gives other bytes', false)
    .option('--ids-file <file>', 'a file with message ids, apart by commas, spaces or lines; - is standard input')
    .addHelpText(
      'after',
      `
Every verifier that speaks for a CCV of a message is asked, also for messages that timed out. A message that is not
stored is taken from a verifier or an aggregator that knows it; which ones no source knows is said at the end.

  $ ccv-indexer replay messages --ids 0x1f…,0x2e… -c indexer.toml -s secrets.toml
  $ ccv-indexer replay messages --ids-file missing.txt -c indexer.toml -s secrets.toml --json
${EXIT_CODES}`,
    )
    .action(async (options: ForcedOptions & { readonly ids?: readonly Hex[]; readonly idsFile?: string }) => {
      const { idsIn, runWish } = await import('./replay/run.js');
      const { ids = [], idsFile } = options;
      const all = [...ids, ...(idsFile === undefined ? [] : parseIds(idsIn(idsFile)))];
      if (all.length === 0)
        throw new IndexerError('NO_IDS', 'write --ids or --ids-file, with at least one message id', false);
      process.exitCode = await runWish(options, () => ({ kind: 'messages', ids: all, ...forceOf(options) }));
    });
}

function discoveryReplay(): Command {
  return withRunOptions(new Command('discovery'))
    .description('read the entries of aggregators again, from a sequence on')
    .addOption(new Option('--since <sequence>', 'first sequence').argParser(parseSequence).makeOptionMandatory())
    .option('--force', 'replace stored verifications where a source gives other bytes', false)
    .option('--source <name>', 'Name of one of the [[Discoveries]]; default: all of them, one after the other')
    .addHelpText(
      'after',
      `
Entries are read up to the last one that the aggregator has when it is reached.

  $ ccv-indexer replay discovery --since 120000 --source aggregator-1 -c indexer.toml -s secrets.toml
${EXIT_CODES}`,
    )
    .action(async (options: ForcedOptions & { readonly since: string; readonly source?: string }) => {
      const { runWish } = await import('./replay/run.js');
      const { since, source } = options;
      process.exitCode = await runWish(options, ({ Discoveries }) => ({
        kind: 'discovery',
        sources: source === undefined ? Discoveries.map(({ Name }) => Name) : [source],
        since,
        ...forceOf(options),
      }));
    });
}

function resumeReplay(): Command {
  return withRunOptions(new Command('resume'), false)
    .description('go on with a replay that was stopped, failed or crashed')
    .addOption(wholeOption('--id <number>', 'number of the replay', 1).makeOptionMandatory())
    .addHelpText('after', `\n  $ ccv-indexer replay resume --id 7 -c indexer.toml -s secrets.toml\n${EXIT_CODES}`)
    .action(async (options: RunOptions & { readonly id: number }) => {
      const { resumeJob } = await import('./replay/run.js');
      process.exitCode = await resumeJob(options, BigInt(options.id));
    });
}

function statusReplay(): Command {
  return withConfigOptions(new Command('status'))
    .description('show one replay')
    .addOption(wholeOption('--id <number>', 'number of the replay', 1).makeOptionMandatory())
    .option('--json', 'print JSON', false)
    .addHelpText('after', '\n  $ ccv-indexer replay status --id 7 -c indexer.toml')
    .action(async (options: ShowOptions & { readonly id: number }) => {
      const { showJob } = await import('./replay/show.js');
      process.exitCode = await showJob(options, BigInt(options.id));
    });
}

function listReplays(): Command {
  return withConfigOptions(new Command('list'))
    .description('show the last replays, the newest first')
    .addOption(wholeOption('--limit <number>', 'most replays', 1).default(20))
    .option('--json', 'print JSON', false)
    .addHelpText('after', '\n  $ ccv-indexer replay list -c indexer.toml')
    .action(async (options: ShowOptions & { readonly limit: number }) => {
      const { showJobs } = await import('./replay/show.js');
      process.exitCode = await showJobs(options, options.limit);
    });
}

function withRunOptions(command: Command, isNew = true): Command {
  withConfigOptions(command)
    .addOption(
      wholeOption('--rate <number>', 'most requests a second to each node, verifier or aggregator', 1).default(10),
    )
    .addOption(wholeOption('--batch <number>', 'most messages of one transaction', 1).default(100))
    .option('--json', 'print one JSON object a line: events, and the end last', false);
  return isNew ? command.option('--again', 'start anew although an equal replay is done', false) : command;
}

function forceOf({ force }: ForcedOptions): { readonly force?: true } {
  return force === true ? { force } : {};
}

function wholeOption(flags: string, description: string, least: number): Option {
  return new Option(flags, description).argParser((text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
    if (value < least) throw new InvalidArgumentError(`write a whole number of at least ${least}`);
    return value;
  });
}

function parseSequence(text: string): string {
  if (!/^\d{1,19}$/.test(text)) throw new InvalidArgumentError('write a sequence number of at least 0');
  return text;
}

/** @throws IndexerError naming the first that is none. */
function parseIds(text: string): readonly Hex[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  const wrong = words.find((word) => !/^0x[0-9a-fA-F]{64}$/.test(word));
  if (wrong === undefined) return words as Hex[];
  throw new IndexerError('NO_IDS', `${wrong.slice(0, 80)} is no message id: write 0x and 64 hex digits`, false);
}
