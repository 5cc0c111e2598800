import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { parseDuration, parsePort, parsePositive } from '../../src/cli/duration.js';

interface DevOptions {
  readonly for?: number;
  readonly rate: number;
  readonly executor: boolean;
  readonly port: number;
  readonly data: string;
}

/** Ports that are taken in a row. */
const PORTS = 6;

/** A port with room for those behind it; for commander. */
function parseFirstPort(text: string): number {
  const port = parsePort(text);
  if (port > 65_536 - PORTS) throw new InvalidArgumentError(`Write a port from 0 to ${65_536 - PORTS}.`);
  return port;
}

/** A number from 0 on; for commander. */
function parseRate(text: string): number {
  return Number(text) === 0 && text !== '' ? 0 : parsePositive(text);
}

/** The command line of `npm start`. Errors are thrown, so that `runProgram` alone decides on the exit code. */
export function createDevnetProgram(): Command {
  return new Command('npm start --')
    .exitOverride()
    .showHelpAfterError('(add --help to see how the command is used)')
    .description('run a whole local lane with steady traffic, to look at: no setup, no service, no network')
    .option(
      '--for <duration>',
      'stop sending after this long (30s, 5m), wait until all is executed (without an executor: verified), then end',
      parseDuration,
    )
    .option('--rate <messages>', 'messages a second, over both directions; 0: leave the sending to you', parseRate, 2)
    .option('--no-executor', 'leave messages for an executor of your own')
    .option(
      '--port <port>',
      'port of the query API; the next ones: admin port, RPC of both chains, two aggregators; 0: any free ports',
      parseFirstPort,
      8100,
    )
    .option('--data <directory>', 'where everything is kept between starts', 'data')
    .addHelpText(
      'after',
      `
Starts an embedded Postgres, two anvil chains (ids 1337 and 31337) with the real CCIP contracts as a lane in both
directions, two committees that wait for each message's finality and sign, the indexer with its API, and an executor
that knows nothing but that API and calls the real OffRamp. Messages vary: data, tokens, two CCVs, 20 KB and more,
faster than finality. Chain A is indexed by the committees' aggregators alone (gRPC), chain B by its own logs and by
REST verifiers.

The start prints the RPC URLs, the contracts and an account with means, for your wallet, executor or scripts. They stay
the same as long as the port and the data directory do.

All three tiers run, with short times: memory for 10 s, Postgres for 40 s, and the cold tier (Parquet files below
<data>/cold) for good. Someone keeps asking about the past and holds the indexer to what it said before; the second
table shows which tier was asked for ids, and which answered lists.

  $ npm start                                  until Ctrl-C; the next start goes on from the data directory
  $ npm start -- --for 30s                     exit code 0 only if everything sent was executed
  $ npm start -- --rate 0 --no-executor        send and execute messages of your own
  $ curl localhost:8100/v1/messages?limit=2    while it runs
  $ curl localhost:8101/status

To start over, remove the data directory.`,
    )
    .action(async (options: DevOptions) => {
      // loaded when it is needed, so that --help answers at once
      const { runDevnet } = await import('./run/run.js');
      process.exitCode = await runDevnet({
        sendForMs: options.for ?? null,
        ratePerSecond: options.rate,
        executes: options.executor,
        port: options.port,
        dataDir: resolve(options.data),
      });
    });
}
