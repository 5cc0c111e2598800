import { Command, InvalidArgumentError, Option } from 'commander';
import { withConfigOptions } from './config-option.js';
import type { CreateOptions } from './namespace/create.js';
import type { DropOptions } from './namespace/drop.js';
import type { ListOptions } from './namespace/list.js';

/** `ccv-indexer namespace` */
export function namespaceCommand(): Command {
  const command = new Command('namespace')
    .description('the namespaces of the databases and object stores: list, create, drop')
    .addHelpText(
      'after',
      `
A namespace is all that one indexer stores: a schema in each Postgres database, and a folder of that name in each bucket
(below Prefix) or directory. Any number of them lie beside each other, and nothing crosses. Namespace in the
configuration says which one a process fills; [API] Namespaces names others that its API answers for, below /ns/<name>.

  $ ccv-indexer namespace list -c indexer.toml -s secrets.toml
  $ ccv-indexer namespace create ccv_test -c indexer.toml -s secrets.toml
  $ ccv-indexer namespace drop ccv_test -c indexer.toml -s secrets.toml`,
    );
  for (const child of [listCommand(), createCommand(), dropCommand()]) command.addCommand(child);
  return command;
}

function listCommand(): Command {
  return withConfigOptions(new Command('list'))
    .description('the namespaces that the databases and object stores of the configuration hold')
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Looks at schemas and folders themselves, read-only, beside running processes. A line for each namespace and backend:
its last position, the rows of messages and verifier results (~: the server's estimate), its size, the version of its
schema, the connections and workers that are at work on it as far as the database shows them.

Exit code 0: every backend was looked at. 1: one could not be reached.

  $ ccv-indexer namespace list -c indexer.toml -s secrets.toml
  $ ccv-indexer namespace list -c indexer.toml -s secrets.toml --json | jq '.namespaces[].namespace'`,
    )
    .action(async (options: ListOptions) => {
      const { list } = await import('./namespace/list.js');
      process.exitCode = await list(options);
    });
}

function createCommand(): Command {
  return withConfigOptions(new Command('create'))
    .argument('<name>', 'up to 48 of a-z, 0-9 and _, a letter first', parseName)
    .description('create a namespace in every database of the configuration; safe to repeat, from several machines')
    .option('--dry-run', 'change nothing, say what would be done', false)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Creates the schema and its tables in every Postgres backend, and brings them up to date where they are there. Of every
object store it is made sure that it can be written to, and that the folder of that name is free, or the namespace's
own. A schema or folder in which something else lies is refused (NAMESPACE_TAKEN, NAMESPACE_FOLDER_SHARED) before
anything is changed.

  $ ccv-indexer namespace create ccv_test -c indexer.toml -s secrets.toml --dry-run
  $ ccv-indexer namespace create ccv_test -c indexer.toml -s secrets.toml`,
    )
    .action(async (name: string, options: CreateOptions) => {
      const { create } = await import('./namespace/create.js');
      process.exitCode = await create(name, options);
    });
}

function dropCommand(): Command {
  return withConfigOptions(new Command('drop'))
    .argument('<name>', 'of the schema, and of the folder', parseName)
    .description('delete everything that a namespace stores, for good')
    .addOption(new Option('--only <kind>', 'only the schemas, or only the folders').choices(['database', 'cold']))
    .option('--backend <name>', 'only in this backend')
    .option('--confirm <name>', 'the name again, where there is no terminal to ask for it')
    .option('--force', 'also while processes are connected', false)
    .option('--dry-run', 'change nothing, say what would be deleted', false)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Shows what would go, asks for the name again, and deletes the schema of exactly that name in every Postgres backend,
then every object below the folder of that name. There is no way back. Stop the processes of the namespace first: while
any is connected it is refused (NAMESPACE_IN_USE), as in the middle of a move (NAMESPACE_IN_MOVE). Processes that use an
object store without a database cannot be seen.

Other schemas and folders stay whole: a table of others in the schema keeps it, a view of others on one of its tables or
an object of others in the folder is refused. Killed or stopped, the same command goes on with what is left.

Exit code 0: nothing of it is left. 1: refused, or not confirmed. 130: stopped.

  $ ccv-indexer namespace drop ccv_test -c indexer.toml -s secrets.toml --dry-run
  $ ccv-indexer namespace drop ccv_test -c indexer.toml -s secrets.toml --confirm ccv_test`,
    )
    .action(async (name: string, options: DropOptions) => {
      const { drop } = await import('./namespace/drop.js');
      process.exitCode = await drop(name, options);
    });
}

function parseName(text: string): string {
  if (/^[a-z][a-z0-9_]{0,47}$/.test(text) && !/^(?:pg_|information_schema$)/.test(text)) return text;
  throw new InvalidArgumentError('Write up to 48 of a-z, 0-9 and _, a letter first, not pg_.');
}
