import { Command } from 'commander';
import { checkRole, type Role, roleFault } from '../app/role.js';
import type { ExplainedKey } from '../config/go-indexer/explained-key.js';
import { formatProblem } from '../config/problems.js';
import type { Config } from '../config/schema/schema.js';
import { type ConfigOptions, configFiles, readCheckedConfig, withConfigOptions } from './config-option.js';
import { wordTable } from './text-table.js';

/** The commands that run a service, with their roles. */
const COMMANDS: readonly (readonly [string, Role])[] = [
  ['start', 'both'],
  ['worker', 'worker'],
  ['api', 'api'],
];

interface CheckOptions extends ConfigOptions {
  readonly strict?: boolean;
  readonly explain?: boolean;
}

/** `ccv-indexer config check` */
export function configCommand(): Command {
  const command = new Command('config')
    .description('look at the configuration without starting anything')
    .addHelpText('after', '\n  $ ccv-indexer config check -c indexer.toml -s secrets.toml');
  withConfigOptions(command.command('check'))
    .description('check the configuration and report everything that is wrong with it at once')
    .option('--strict', 'let warnings fail the check', false)
    .option('--explain', 'print the place of each key of the Go indexer here', false)
    .addHelpText(
      'after',
      `
Looks at the files and the environment alone: nothing is connected to. Secrets are not printed.

Exit code 0: usable, and by which commands; warnings tell what is surely not meant. 1: it is not (with --strict: or
there are warnings), and every problem was printed with its path, what was found there and what to write instead.

A configuration of the Go indexer is taken as it is, with its secrets file. A key of it without a meaning here is a
notice, which fails nothing. --explain prints a table of its keys: key, value (secrets as ***), the place here, a note.

  $ ccv-indexer config check -c indexer.toml -s secrets.toml
  $ ccv-indexer config check -c config.toml -s secrets.toml --explain`,
    )
    .action((options: CheckOptions) => {
      const { config, warnings, notices, explained } = readCheckedConfig(options);
      // storage that does not suit a process of both roles suits none
      checkRole('both', config);
      const lines = [
        summary(configFiles(options).file, config),
        ...(options.explain === true ? explanation(explained) : []),
        ...warnings.map((warning) => `warning: ${formatProblem(warning)}`),
        ...notices.map((notice) => `notice: ${formatProblem(notice)}`),
      ];
      process.stdout.write(`${lines.join('\n')}\n`);
      if (options.strict === true && warnings.length > 0) process.exitCode = 1;
    });
  return command;
}

function summary(file: string, config: Config): string {
  const backends =
    config.Storage.Strategy === 'single'
      ? [config.Storage.Single?.Type ?? '']
      : (config.Storage.Sink?.Storages ?? []).map((backend) => backend.Name ?? backend.Type);
  const commands = COMMANDS.filter(([, role]) => roleFault(role, config) === null).map(([name]) => name);
  return [
    `${file} is usable.`,
    `  commands   ${commands.join(', ')}`,
    `  namespace  ${config.Namespace}`,
    `  discovery  ${config.Discoveries.map((discovery) => discovery.Name).join(', ') || 'none'}`,
    `  chains     ${config.Chain.map((chain) => chain.Name).join(', ') || 'none'}`,
    `  verifiers  ${config.Verifier.map((verifier) => verifier.Name).join(', ') || 'none'}`,
    `  storage    ${backends.join(' → ')}`,
    `  api        ${config.API.ListenAddress}:${config.API.ListenPort}, admin ` +
      `${config.Admin.ListenAddress}:${config.Admin.ListenPort}`,
  ].join('\n');
}

function explanation(explained: readonly ExplainedKey[]): string[] {
  if (explained.length === 0) return ['', 'No key of the Go indexer is in it.', ''];
  const rows = explained.map(({ path, value, became, note }) => [path, value, became, note]);
  return ['', ...wordTable([['key', 'value', 'became', 'note'], ...rows]), ''];
}
