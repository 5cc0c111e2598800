import { Command, InvalidArgumentError, Option } from 'commander';
import { CHECK_NAMES } from '../app/doctor/checks.js';
import { withConfigOptions } from './config-option.js';
import type { DoctorOptions } from './doctor/run.js';
import { parseDuration } from './duration.js';

/** `ccv-indexer doctor` */
export function doctorCommand(): Command {
  const only = new Option('--only <checks>', 'only these checks, with commas between them').argParser(parseChecks);
  only.argChoices = [...CHECK_NAMES];
  return withConfigOptions(new Command('doctor'))
    .description('look at everything that a person on call would, and say what is wrong and what to do')
    .addOption(only)
    .option('--full', 'read everything, whatever it costs, instead of samples', false)
    .option('--limit <duration>', 'the longest that one check may take (default: 30s, with --full 1h)', parseDuration)
    .option('--repair', 'then repair what can be repaired safely, each after a question', false)
    .option('--yes', 'repair without questions', false)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Looks at the configuration, the databases, object stores, nodes, verifiers and aggregators themselves, side by side and
read-only: no process has to run, none is disturbed. A part that gives no answer within the limit is a finding
(not-checked) and holds up no other. What is in memory belongs to a process: ask its /status page.

A finding has an id that stays the same from version to version, a severity, its meaning, the figures, and the next
step. All of them: src/app/doctor/README.md.

With --repair the repairs that some findings name are run, one after the other, after a question for each on a terminal;
without a terminal only with --yes. They are safe beside running processes: invalid and missing indexes are built anew
(CONCURRENTLY), tables far behind are vacuumed, needless files of the cold tier are deleted after Grace. A repair that
succeeded takes its finding from the exit code.

Exit code: that of the worst finding. 0: nothing, or info. 1: warning. 2: error. 3: critical. 130: stopped by a signal.

  $ ccv-indexer doctor -c indexer.toml -s secrets.toml
  $ ccv-indexer doctor -c indexer.toml -s secrets.toml --only schema,postgres
  $ ccv-indexer doctor -c indexer.toml -s secrets.toml --only database --repair
  $ ccv-indexer doctor -c indexer.toml -s secrets.toml --json | jq '.findings[] | {id, subject, next}'`,
    )
    .action(async (options: DoctorOptions) => {
      const { runDoctor } = await import('./doctor/run.js');
      process.exitCode = await runDoctor(options);
    });
}

function parseChecks(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !CHECK_NAMES.includes(name));
  if (unknown.length > 0) throw new InvalidArgumentError(`Write some of ${CHECK_NAMES.join(', ')}.`);
  return names;
}
