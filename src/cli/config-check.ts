import { Command } from 'commander';
import { chainIdentityWarnings } from '../config/chain-identity.js';
import type { Config } from '../config/schema.js';
import { type ConfigOptions, readConfig, withConfigOptions } from './config-option.js';
import { checkRole, type Role, roleFault } from './role.js';

/** The commands that run a service, with their roles. */
const COMMANDS: readonly (readonly [string, Role])[] = [
  ['start', 'both'],
  ['worker', 'worker'],
  ['api', 'api'],
];

/** `ccv-indexer config check` */
export function configCommand(): Command {
  const command = new Command('config')
    .description('look at the configuration without starting anything')
    .addHelpText('after', '\n  $ ccv-indexer config check -c indexer.toml -s secrets.toml');
  withConfigOptions(command.command('check'))
    .description('check the configuration and report everything that is wrong with it at once')
    .addHelpText(
      'after',
      `
Looks at the files and the environment alone: nothing is connected to. Secrets are not printed.

Exit code 0: usable, and by which commands. 1: it is not, and every problem was printed with its path and what to write
instead.

  $ ccv-indexer config check -c indexer.toml -s secrets.toml`,
    )
    .action((options: ConfigOptions) => {
      const config = readConfig(options);
      // what even one process that does everything cannot use, nobody can
      checkRole('both', config);
      for (const { path, message } of chainIdentityWarnings(config))
        process.stderr.write(`warning: ${path}: ${message}\n`);
      process.stdout.write(`${summary(options.config, config)}\n`);
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
    `  chains     ${config.Chain.map((chain) => chain.Name).join(', ') || 'none'}`,
    `  verifiers  ${config.Verifier.map((verifier) => verifier.Name).join(', ') || 'none'}`,
    `  storage    ${backends.join(' → ')}`,
    `  api        ${config.API.ListenAddress}:${config.API.ListenPort}, admin ${config.Admin.ListenAddress}:${config.Admin.ListenPort}`,
  ].join('\n');
}
