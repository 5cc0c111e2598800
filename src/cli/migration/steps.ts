import { migrationOf } from '../../app/move-roles.js';
import { openEnds } from '../../app/moving-sink.js';
import { IndexerError } from '../../core/errors.js';
import type { Condition, MoveCommand } from '../../migration/conditions.js';
import { createMove, type Move } from '../../migration/move.js';
import type { MoveEnds } from '../../migration/move-ends.js';
import type { ConfigOptions } from '../config-option.js';
import { print, printJson } from '../storage/output.js';
import { runStorageCommand, type StorageCommand, unlessStopped } from '../storage/run-command.js';
import { moveStatus, statusLines } from './status-view.js';

/** Options of the steps of a move. */
export interface MoveOptions extends ConfigOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly from?: string;
  readonly to?: string;
}

export interface RollbackOptions extends MoveOptions {
  readonly abandonNew: boolean;
}

export interface WatchOptions extends ConfigOptions {
  readonly json: boolean;
  readonly watch: boolean;
}

/** A command with the move that its configuration names. */
export interface MoveCommandContext extends StorageCommand {
  readonly ends: MoveEnds & { readonly from: MoveEnds['from']; readonly to: MoveEnds['to'] };
  readonly move: Move;
}

const LOOK_MS = 1_000;
/** The processes follow a phase within this; commands that need them in step wait for it. */
const FOLLOW_MS = 5_000;

/** Runs work on a move; see `runStorageCommand`. */
export async function withMove(
  options: ConfigOptions,
  work: (context: MoveCommandContext) => Promise<number>,
): Promise<number> {
  return await runStorageCommand(options, async (command) => {
    migrationOf(command.config);
    const ends = openEnds(command.config, command.common);
    try {
      return await work({ ...command, ends, move: createMove(ends, command.common) });
    } finally {
      await Promise.all([ends.from.storage.close(), ends.to.storage.close()]);
    }
  });
}

/** Brings the move into the phase of a command. @returns the exit code. */
export async function runStep(command: MoveCommand, options: MoveOptions): Promise<number> {
  return await withMove(options, async (context) => {
    checkNames(options, context.ends);
    if (options.dryRun === true) return await runDry(command, options, context);
    await untilInStep(command, context);
    await context.move.run(command);
    return await show(options, context);
  });
}

/** Begins the backfill, and waits for the workers. @returns the exit code. */
export async function backfill(options: MoveOptions & { readonly wait: boolean }): Promise<number> {
  return await withMove(options, async (context) => {
    if (options.dryRun === true) return await runDry('backfill', options, context);
    const { move, ends, common, signal, progress } = context;
    await move.run('backfill');
    while (options.wait) {
      const { backfill: left } = await unlessStopped(signal, ends.to.moves.look());
      if (left === null) break;
      progress.show({
        step: `backfill of ${ends.to.name}`,
        done: Number(left.position),
        total: Number(left.throughPosition),
        unit: 'positions',
      });
      await common.clock.sleep(LOOK_MS, signal);
    }
    progress.close();
    return await show(options, context);
  });
}

/** Goes back to the old database. @returns the exit code. */
export async function rollback(options: RollbackOptions): Promise<number> {
  return await withMove(options, async (context) => {
    if (options.dryRun === true) return await runDry('rollback', options, context);
    if (options.abandonNew) await context.move.abandonNew();
    else await context.move.run('rollback');
    return await show(options, context);
  });
}

/** Shows the move, once or until a signal. @returns the exit code: 1 when a database did not answer. */
export async function showStatus(options: WatchOptions): Promise<number> {
  return await withMove(options, async ({ move, ends, common, signal }) => {
    for (;;) {
      const status = await unlessStopped(signal, moveStatus(move, ends));
      if (options.watch && !options.json && process.stdout.isTTY) process.stdout.write('\x1b[2J\x1b[H');
      if (options.json) printJson(status);
      else print(...statusLines(status));
      if (!options.watch) return status.databases.every(({ error }) => error === null) ? 0 : 1;
      await common.clock.sleep(LOOK_MS, signal);
    }
  });
}

async function show({ json }: MoveOptions, { move, ends }: MoveCommandContext): Promise<number> {
  const status = await moveStatus(move, ends);
  if (json === true) printJson(status);
  else print(...statusLines(status));
  return 0;
}

/** Shows the conditions of a command. @returns 0 when all hold. */
export async function runDry(
  command: MoveCommand,
  { json }: MoveOptions,
  { move }: MoveCommandContext,
): Promise<number> {
  const conditions = await move.conditions(command);
  const isReady = conditions.every(({ holds }) => holds);
  if (json === true) printJson({ command, ready: isReady, conditions });
  else
    print(...conditions.flatMap(conditionLines), isReady ? `${command} would be done` : `${command} would be refused`);
  return isReady ? 0 : 1;
}

/** A condition as it is shown. */
function conditionLines({ what, holds, found, instead }: Condition): readonly string[] {
  const mark = holds ? 'yes' : 'NO ';
  return [
    `  ${mark}  ${what}${found === undefined ? '' : ` (${found})`}`,
    ...(holds || instead === undefined ? [] : [`       instead: ${instead}`]),
  ];
}

/** Processes follow a phase a moment after the command before has ended: that is waited for, not refused. */
async function untilInStep(command: MoveCommand, { move, common, signal }: MoveCommandContext): Promise<void> {
  const deadlineMs = common.clock.monotonicMs() + FOLLOW_MS;
  for (;;) {
    const failed = (await move.conditions(command)).filter(({ holds }) => !holds);
    const isLate = failed.length === 1 && failed[0]?.passes === true;
    if (!isLate || common.clock.monotonicMs() > deadlineMs) return;
    await common.clock.sleep(LOOK_MS / 4, signal);
  }
}

/** Names on the command line are a check: the processes go by the configuration. */
function checkNames({ from, to }: MoveOptions, ends: MoveEnds): void {
  const wrong = (
    [
      ['--from', from, ends.from.name],
      ['--to', to, ends.to.name],
    ] as const
  ).find(([, given, configured]) => given !== undefined && given !== configured);
  if (wrong)
    throw new IndexerError(
      'MOVE_NAMES',
      `${wrong[0]} ${wrong[1]} is not the ${wrong[2]} of [Migration]: write the names there, in the configuration of ` +
        'every process, and restart them',
      false,
    );
}
