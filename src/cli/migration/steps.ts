import { IndexerError } from '../../core/errors.js';
import type { MoveCommand } from '../../migration/conditions.js';
import { GO_INDEXER } from '../../migration/go-indexer/go-indexer-move.js';
import { print, printJson } from '../storage/output.js';
import { unlessStopped } from '../storage/run-command.js';
import { runDry } from './dry-run.js';
import { fillFromGo, goReportLines, withImportLease } from './from-go.js';
import {
  type AbandonOptions,
  type MoveCommandContext,
  type MoveOptions,
  type WatchOptions,
  withMove,
} from './move-context.js';
import { moveStatus, statusLines } from './status-view.js';

const LOOK_MS = 1_000;
/** The processes follow a phase within this; commands that need them in step wait for it. */
const FOLLOW_MS = 5_000;

/** Brings the move into the phase of a command. @returns the exit code. */
export async function runStep(command: MoveCommand, options: MoveOptions): Promise<number> {
  return await withMove(options, async (context) => {
    checkNames(options, context);
    if (options.dryRun === true) return await runDry(command, options, context);
    await untilInStep(command, context);
    // no other command fills the new database while the last rows are taken
    if (context.goMove && command === 'switch') await withImportLease(context, () => context.move.run(command));
    else await context.move.run(command);
    const report = context.goMove?.report() ?? null;
    if (report && options.json !== true) print(...goReportLines(report));
    return await show(options, context);
  });
}

/** Begins the backfill, and waits for the workers. @returns the exit code. */
export async function backfill(options: MoveOptions & { readonly wait: boolean }): Promise<number> {
  return await withMove(options, async (context) => {
    if (options.dryRun === true) return await runDry('backfill', options, context);
    const { move, to, common, signal, progress } = context;
    await move.run('backfill');
    if (context.goMove) await fillFromGo(context, options.wait);
    while (options.wait) {
      const { backfill: left } = await unlessStopped(signal, to.moves.look());
      if (left === null) break;
      progress.show({
        step: `backfill of ${to.name}`,
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

/** `switch` or `rollback`, also without the database that is gone. @returns the exit code. */
export async function handOver(command: 'switch' | 'rollback', options: AbandonOptions): Promise<number> {
  if (options.abandonNew !== true && options.abandonOld !== true) return await runStep(command, options);
  return await withMove(options, async (context) => {
    const { ours } = context;
    if (ours === null)
      throw new IndexerError(
        'MOVE_FOREIGN',
        'the Go indexer is stopped and started by hand: there is nothing to give up',
        false,
      );
    await (command === 'switch' ? ours.move.abandonOld() : ours.move.abandonNew());
    return await show(options, context);
  });
}

/** Shows the move, once or until a signal. @returns the exit code: 1 when a database did not answer. */
export async function showStatus(options: WatchOptions): Promise<number> {
  return await withMove(options, async ({ move, ours, to, common, signal }) => {
    for (;;) {
      const status = await unlessStopped(
        signal,
        moveStatus(move, { from: ours?.ends.from.name ?? GO_INDEXER, to: to.name }),
      );
      if (options.watch && !options.json && process.stdout.isTTY) process.stdout.write('\x1b[2J\x1b[H');
      if (options.json) printJson(status);
      else print(...statusLines(status));
      if (!options.watch) return status.databases.every(({ error }) => error === null) ? 0 : 1;
      await common.clock.sleep(LOOK_MS, signal);
    }
  });
}

async function show({ json }: MoveOptions, { move, ours, to }: MoveCommandContext): Promise<number> {
  const status = await moveStatus(move, { from: ours?.ends.from.name ?? GO_INDEXER, to: to.name });
  if (json === true) printJson(status);
  else print(...statusLines(status));
  return 0;
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
function checkNames({ from, to }: MoveOptions, context: MoveCommandContext): void {
  const wrong = (
    [
      ['--from', from, context.ours?.ends.from.name ?? GO_INDEXER],
      ['--to', to, context.to.name],
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
