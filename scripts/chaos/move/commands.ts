import { setTimeout as delay } from 'node:timers/promises';
import { type CliProcess, startCli } from '../../../test/support/e2e/cli.js';
import type { Tap } from '../../../test/support/e2e/tap.js';

/** A command of the move; its options too. */
export type Command = readonly [name: string, ...options: string[]];

/** The death of a command, counted in pieces of data that it sends to the databases. */
export interface CommandDeath {
  /** A text of the first piece that counts. Default: that of its first change. */
  readonly from?: string;
  readonly pieces: number;
  /** Whether the last piece still gets there. */
  readonly last: 'pass' | 'drop';
  /** What dies at the same moment. */
  readonly also?: () => void;
}

/** The text of the statement by which every command makes its first change. */
const FIRST_CHANGE = 'AS m (revision, state)';
const AGAIN_MS = 1_000;
const ATTEMPTS = 60;

/** Runs the commands of a move, with their databases behind taps. */
export interface MoveCommands {
  /** Runs it until it succeeds, as a person would who reads why it was refused. @returns the refusals. */
  run(...command: Command): Promise<readonly string[]>;
  /** Runs it once, and kills it in its middle. @returns false when it ended before. */
  kill(command: Command, death: CommandDeath): Promise<boolean>;
}

export function createMoveCommands(configFile: string, taps: readonly Tap[]): MoveCommands {
  const begin = ([name, ...options]: Command): CliProcess =>
    startCli(['migration', name, '--config', configFile, ...options]);
  return {
    async run(...command) {
      const refusals: string[] = [];
      while (refusals.length < ATTEMPTS) {
        const cli = begin(command);
        const { code } = await cli.exited;
        if (code === 0) return refusals;
        refusals.push(`${command.join(' ')}: ${cli.stderr().trim() || cli.stdout().trim()}`);
        await delay(AGAIN_MS);
      }
      throw new Error(`migration ${command.join(' ')} is refused again and again:\n${refusals.at(-1)}`);
    },
    async kill(command, { from = FIRST_CHANGE, pieces, last, also }) {
      const cli = begin(command);
      let sent: number | null = null;
      const onSent = (chunk: Buffer) => {
        if (sent === null && !chunk.includes(from)) return 'pass';
        sent = (sent ?? 0) + 1;
        if (sent < pieces) return 'pass';
        if (sent === pieces) {
          cli.kill('SIGKILL');
          also?.();
        }
        return sent === pieces ? last : 'drop';
      };
      for (const tap of taps) tap.onSent = onSent;
      const { signal } = await cli.exited;
      for (const tap of taps) tap.onSent = null;
      return signal === 'SIGKILL';
    },
  };
}
