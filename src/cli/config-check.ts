import { Command } from 'commander';
import { checkRole, type Role, roleFault } from '../app/role.js';
import type { ExplainedKey } from '../config/go-indexer/explained-key.js';
import { formatProblem } from '../config/problems.js';
import type { Config } from '../config/schema/schema.js';
import type { InitOptions } from './config/init.js';
import { type ConfigOptions, configFiles, withConfigOptions } from './config-option.js';
import { wordTable } from './text-table.js';

/** The commands that run a service, with their roles. */
const COMMANDS: readonly (readonly [string, Role])[] = [
  ['start', 'both'],
  ['worker', 'worker'],
  ['api', 'api'],
];

interface CheckOptions extends ConfigOptions {
  readonly strict?: boolean;
  readonly online?: boolean;
  readonly explain?: boolean;
}

/** `ccv-indexer config check` */
export function configCommand(): Command {
  const command = new Command('config')
    .description('write a first configuration, or check one, without starting anything')
    .addHelpText(
      'after',
      '\n  $ ccv-indexer config init\n  $ ccv-indexer config check -c indexer.toml -s secrets.toml',
    );
  addInit(command);
  withConfigOptions(command.command('check'))
    .description('check the configuration and report everything that is wrong with it at once')
    .option('--strict', 'let warnings fail the check', false)
    .option('--online', 'then try every connection: databases, nodes, verifiers, aggregators, buckets', false)
    .option('--explain', 'print the place of each key of the Go indexer here', false)
    .addHelpText(
      'after',
      `
Looks at the files and the environment alone: nothing is connected to. Secrets are not printed.

With --online every connection is then tried, read-only: whether databases answer, take writes and have the schema;
whether each RPC URL is of the chain that its selector says; whether verifiers, aggregators and buckets answer these
credentials; certificates and clocks. These are checks of "ccv-indexer doctor", which looks at the records as well.

Exit code 0: usable, and by which commands; warnings tell what is surely not meant. 1: it is not (with --strict: or
there are warnings), and every problem was printed with its path, what was found there and what to write instead.

A configuration of the Go indexer is taken as it is, with its secrets file. A key of it without a meaning here is a
notice, which fails nothing. --explain prints a table of its keys: key, value (secrets as ***), the place here, a note.

  $ ccv-indexer config check -c indexer.toml -s secrets.toml
  $ ccv-indexer config check -c config.toml -s secrets.toml --explain`,
    )
    .action(async (options: CheckOptions) => {
      const { readCheckedConfig } = await import('./config/read-config.js');
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
      const isStrict = options.strict === true;
      if (isStrict && warnings.length > 0) process.exitCode = 1;
      if (options.online !== true) return;
      const { runDoctor } = await import('./doctor/run.js');
      const severity = await runDoctor({ ...options, only: CONNECTION_CHECKS });
      if (severity > (isStrict ? 0 : WARNING)) process.exitCode = 1;
    });
  return command;
}

/** The checks of the doctor that ask whether others can be reached as configured. */
const CONNECTION_CHECKS = [
  ...['postgres', 'schema', 'object-stores', 'rpc-nodes', 'verifiers', 'aggregators', 'certificates', 'clocks'],
];
/** The doctor's code of warnings alone. */
const WARNING = 1;

function addInit(config: Command): void {
  const each = (value: string, before: readonly string[] = []) => [...before, value];
  config
    .command('init')
    .description('write a first configuration: by questions on a terminal, or from options')
    .option('--output <file>', 'the configuration', 'indexer.toml')
    .option(
      '--secrets-output <file>',
      'the secrets file: the URI of the database and a token of the admin port',
      'secrets.toml',
    )
    .option('--force', 'write files that exist anew', false)
    .option('--database <uri>', 'Postgres, postgresql://user:password@host:5432/database; with it nothing is asked')
    .option('--namespace <name>', 'the schema in it (default: ccv)')
    .option('--chain <spec>', 'name=…,selector=…,rpc=…,rpc=…,onramp=…,offramp=…,start=…; once a chain', each)
    .option('--aggregator <spec>', 'name=…,address=host:port; once an aggregator that messages are found at', each)
    .option('--verifier <spec>', 'name=…,url=… or address=host:port,issuer=…,issuer=…; once a verifier', each)
    .option('--bucket <name>', 'where records of more than a month go (default: the database keeps all)')
    .option('--region <name>', 'of the bucket')
    .option('--endpoint <url>', 'of a server that speaks S3, other than AWS')
    .option('--cold-directory <path>', 'a directory in place of a bucket')
    .addHelpText(
      'after',
      `
Both files are checked before they are written, and only their owner may read them. Nothing is connected to: that is
"ccv-indexer config check --online".

  $ ccv-indexer config init
  $ ccv-indexer config init --database postgresql://ccv:…@db:5432/ccv \\
      --chain name=sepolia,selector=16015286601757825753,rpc=https://node.acme.io/v2/…,onramp=0x…,offramp=0x… \\
      --verifier name=committee,url=https://verifier.acme.io,issuer=0x… --bucket ccv-archive --region eu-central-1`,
    )
    .action(async (options: InitOptions) => {
      const { runInit } = await import('./config/init.js');
      await runInit(options);
    });
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
