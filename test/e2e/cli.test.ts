import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { type Command, CommanderError } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import { createDevnetProgram } from '../../scripts/devnet/program.js';
import { createProgram } from '../../src/cli/program.js';
import { runCli } from '../support/e2e/cli.js';
import { commandFixture } from '../support/e2e/fixture.js';
import { hotAndWarm, writeConfig } from '../support/e2e/service.js';

// a test starts up to five processes
const fixture = commandFixture();

function config(namespace: string, change: (table: ReturnType<typeof hotAndWarm>) => void = () => undefined): string {
  const table = hotAndWarm({ namespace, uri: fixture.database.uri });
  change(table);
  return writeConfig(fixture.directory, `${namespace}.toml`, table);
}

/** Parses as the process would, in this one: what it printed, and the exit code where it ends without an action. */
async function parse(
  args: readonly string[],
  program = createProgram(),
): Promise<{ code: number; stdout: string; stderr: string }> {
  const printed = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      printed[stream] += String(text);
      return true;
    }),
  );
  try {
    await program.parseAsync(['node', 'ccv-indexer', ...args]);
    throw new Error('the command ran');
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    return { code: thrown.exitCode, ...printed };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** Every migration of the checkout, by its number. */
const MIGRATIONS = readdirSync('migrations')
  .sort()
  .map((file) => ({ id: Number.parseInt(file, 10) }));

/** Every command and every one below it, by the words that lead there. */
function pathsOf(command: Command, path: readonly string[] = []): readonly (readonly string[])[] {
  return [path, ...command.commands.flatMap((child) => pathsOf(child, [...path, child.name()]))];
}
const COMMANDS = pathsOf(createProgram());

describe('--help', () => {
  it.each(COMMANDS.map((path) => [path.join(' ') || '(no command)', path] as const))(
    'of %s says what it does and shows an example to copy',
    async (_name, path) => {
      const { code, stdout, stderr } = await parse([...path, '--help']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain(`Usage: ${['ccv-indexer', ...path].join(' ')}`);
      expect(stdout).toMatch(/^ {2}\$ ccv-indexer /m);
    },
  );

  it('of npm start says what it does and shows an example to copy', async () => {
    const { code, stdout, stderr } = await parse(['--help'], createDevnetProgram());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Usage: npm start --');
    expect(stdout).toMatch(/^ {2}\$ npm start /m);
  });

  it('ends the process with code 0', async () => {
    const { code, stdout, stderr } = await runCli(['migrate', 'up', '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Usage: ccv-indexer migrate up');
  });
});

describe('a command that was mistyped', () => {
  it.each([
    ['an unknown option', ['start', '--prot', '1'], "unknown option '--prot'"],
    ['an unknown option of a subcommand', ['migrate', 'up', '--yes'], "unknown option '--yes'"],
    ['an unknown command', ['strat'], "unknown command 'strat'"],
  ])('%s ends with code 1 and says so on stderr', async (_name, args, message) => {
    const { code, stdout, stderr } = await parse(args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('--help');
  });

  it.each([
    ['a rate that is no number', ['--rate', 'fast'], 'Write a number above 0'],
    ['a duration without a unit that exists', ['--for', '3 weeks'], 'Write a duration such as 30s'],
    ['a port out of range', ['--port', '70000'], 'Write a port'],
    ['a port without room for those behind it', ['--port', '65531'], 'Write a port from 0 to 65530'],
    ['a negative rate', ['--rate', '-1'], 'Write a number above 0'],
  ])('of npm start: %s ends with code 1 and says so on stderr', async (_name, args, message) => {
    const { code, stdout, stderr } = await parse(args, createDevnetProgram());
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('--help');
  });

  it('ends the process with code 1', async () => {
    const { code, stdout, stderr } = await runCli(['start', '--prot', '1']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain("unknown option '--prot'");
  });
});

describe('config check', () => {
  it('ends with code 0 for the example with its secrets, and without printing them', async () => {
    const files = ['-c', 'config/example.toml', '-s', 'config/secrets.example.toml'];
    const { code, stdout, stderr } = await runCli(['config', 'check', ...files]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('config/example.toml is usable');
    expect(stdout).not.toContain('change-me');
  });

  it('ends with code 1 without them, and takes them from the environment as well', async () => {
    const without = await runCli(['config', 'check', '-c', 'config/example.toml']);
    expect(without.code).toBe(1);
    expect(without.stderr).toContain('Postgres.URI');
    const secret = { CCV_INDEXER__Storage__Sink__Storages__warm__Postgres__URI: 'postgresql://localhost/ccv' };
    expect((await runCli(['config', 'check', '-c', 'config/example.toml'], secret)).code).toBe(0);
  });

  it('warns of a chain whose id nothing tells', async () => {
    const file = config('unknown_chain', (table) => {
      table['Chain'] = [{ Name: 'a', Selector: '4242', RpcUrls: ['http://node'], OnRamp: `0x${'a1'.repeat(20)}` }];
    });
    const { code, stdout } = await runCli(['config', 'check', '-c', file]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^warning: Chain\[0\]\.ChainID: write the chain id/m);
  });

  it('ends with code 1 and names every problem at once, with its path', async () => {
    const file = config('broken', (table) => {
      table['Namespace'] = 'Not-A-Schema';
      table['Schedular'] = {};
      table['Chain'] = [{ Name: 'a', Selector: '18446744073709551616', RpcUrls: ['ftp://node'], OnRamp: '0x12' }];
    });
    const { code, stdout, stderr } = await runCli(['config', 'check', '-c', file]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    for (const path of ['Namespace', 'Schedular', 'Chain[0].Selector', 'Chain[0].RpcUrls[0]', 'Chain[0].OnRamp'])
      expect(stderr).toContain(`  ${path}: `);
    expect(stderr).toContain('did you mean Scheduler?');
  });

  it('warns of what is surely not meant, and fails for it with --strict', async () => {
    const file = config('unmeant');
    const lax = await runCli(['config', 'check', '-c', file]);
    expect({ code: lax.code, stderr: lax.stderr }).toEqual({ code: 0, stderr: '' });
    expect(lax.stdout).toContain('is usable');
    expect(lax.stdout).toMatch(/^warning: Chain: there is none, so no message is found/m);
    const strict = await runCli(['config', 'check', '--strict', '-c', file]);
    expect(strict).toEqual({ ...lax, code: 1 });
  });

  it('refuses what start refuses, in the same words', async () => {
    const file = config('refused', (table) => {
      table['API'] = { ListenAddress: 'nowhere', TrustedProxies: ['0.0.0.0/0'] };
    });
    const [check, start] = await Promise.all(
      [['config', 'check'], ['start']].map((command) => runCli([...command, '-c', file])),
    );
    expect(check).toEqual(start);
    expect(check?.code).toBe(1);
    expect(check?.stderr).toContain('API.TrustedProxies[0]: trusts everyone');
  });

  it('takes the files of a Go indexer by its environment, and explains their keys without their secrets', async () => {
    const files = {
      INDEXER_CONFIG_PATH: 'test/fixtures/go-indexer/every-key.toml',
      INDEXER_SECRETS_PATH: 'test/fixtures/go-indexer/secrets.toml',
    };
    const { code, stdout, stderr } = await runCli(['config', 'check', '--explain'], files);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^key +value +became +note$/m);
    expect(stdout).toMatch(/^LogLevel +"WARN" +Log\.Level /m);
    expect(stdout).toMatch(/^Discoveries\[0\]\.NtpServer +"ntp\.acme\.io" +nothing /m);
    expect(stdout).toMatch(/^Verifier\[0\]\.Secret +\*\*\* +the same key$/m);
    expect(stdout).toMatch(/^notice: MergeBufferSize: has no meaning here: /m);
    expect(stdout).not.toMatch(/5a1e7d9c|9e1d0c5b|another-long-pass/);
  });

  it('ends with code 1 for a file that is not there and says where to start from', async () => {
    const { code, stderr } = await runCli(['config', 'check', '-c', 'nowhere.toml']);
    expect(code).toBe(1);
    expect(stderr).toContain('there is no such file; see config/example.toml');
  });
});

describe('migrate', () => {
  it('shows what is pending, applies it, and finds nothing to do the second time', async () => {
    const file = config('round_trip');
    const status = (...options: string[]) => runCli(['migrate', 'status', '-c', file, ...options]);

    const before = await status();
    expect(before.code).toBe(1);
    expect(before.stdout).toMatch(/schema round_trip\)\n {2}pending 0001 /);

    const up = await runCli(['migrate', 'up', '-c', file]);
    expect({ code: up.code, stderr: up.stderr }).toEqual({ code: 0, stderr: '' });
    expect(up.stdout).toMatch(/^warm: applied 1 /);
    expect(await runCli(['migrate', 'up', '-c', file])).toEqual({ code: 0, stdout: 'warm: up to date\n', stderr: '' });

    const after = await status();
    expect(after.code).toBe(0);
    expect(after.stdout).toMatch(/applied 0001 /);
    expect(after.stdout).not.toContain('pending');
    const json = await status('--json');
    expect(json.code).toBe(0);
    expect(JSON.parse(json.stdout)).toMatchObject([
      { backend: 'warm', namespace: 'round_trip', applied: MIGRATIONS, pending: [], unknown: [] },
    ]);
  });

  it('two at once both succeed', async () => {
    const file = config('at_once');
    const both = await Promise.all([runCli(['migrate', 'up', '-c', file]), runCli(['migrate', 'up', '-c', file])]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    // each step is made by one of them
    const applied = both.flatMap(({ stdout }) => stdout.match(/\b\d{4}\b|\b\d{1,2}(?= \w)/g) ?? []);
    expect(applied.map(Number).sort((a, b) => a - b)).toEqual(MIGRATIONS.map(({ id }) => id));
  });

  it('a schema of a newer version is left alone, by start as well', async () => {
    const file = config('newer');
    await runCli(['migrate', 'up', '-c', file]);
    await fixture.database.sql(`INSERT INTO newer.migrations (id, name, hash) VALUES (9999, 'from_the_future', 'x')`);
    const status = await runCli(['migrate', 'status', '-c', file]);
    expect(status.code).toBe(1);
    expect(status.stdout).toContain('9999 from_the_future');
    for (const args of [['migrate', 'up'], ['start'], ['start', '--migrate']]) {
      const { code, stderr } = await runCli([...args, '-c', file]);
      expect(code).toBe(1);
      expect(stderr).toContain('newer version');
    }
  });
});

describe('start', () => {
  it.each(['start', 'worker', 'api'])(
    '%s against a database without the schema ends and says what to run',
    async (role) => {
      const { code, stderr } = await runCli([role, '-c', config('unmigrated')]);
      expect(code).toBe(1);
      expect(stderr).toContain("run 'ccv-indexer migrate up'");
      const { rows } = await fixture.database.sql(`SELECT 1 FROM pg_namespace WHERE nspname = 'unmigrated'`);
      expect(rows).toEqual([]);
    },
  );

  it('a database that is away ends it with code 1, without the password', async () => {
    const file = writeConfig(
      fixture.directory,
      'away.toml',
      hotAndWarm({ namespace: 'away', uri: 'postgresql://ccv:hunter2@127.0.0.1:1/ccv' }),
    );
    const { code, stdout, stderr } = await runCli(['start', '-c', file]);
    expect(code).toBe(1);
    expect(stderr).toContain('ECONNREFUSED');
    expect(`${stdout}${stderr}`).not.toContain('hunter2');
  });

  it('tells in its log which keys of the Go indexer have no meaning here', async () => {
    const file = config('foreign', (table) => {
      table['MergeBufferSize'] = 4;
    });
    const { stderr } = await runCli(['start', '-c', file]);
    expect(stderr).toMatch(/MergeBufferSize.*a key of the Go indexer has no meaning here/);
  });

  it('a port that is taken ends it with code 1, named', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const file = config('taken', (table) => {
      table['API'] = { ListenAddress: '127.0.0.1', ListenPort: port };
    });
    const { code, stderr } = await runCli(['start', '--migrate', '-c', file]);
    await new Promise<void>((resolve) => taken.close(() => resolve()));
    expect(code).toBe(1);
    expect(stderr).toContain(String(port));
  });
});
