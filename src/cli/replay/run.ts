import { readFileSync } from 'node:fs';
import { ensureMigrated } from '../../app/migrations.js';
import {
  openReplaySource,
  openReplayStorage,
  type ReplayLimits,
  type ReplayStorage,
  sectionNamed,
} from '../../app/open-replay.js';
import { watchedChain } from '../../app/open-rpc.js';
import type { Config } from '../../config/schema/schema.js';
import { AbortedError, IndexerError } from '../../core/errors.js';
import { createShutdown } from '../../core/shutdown.js';
import { checkReplayedBlocks } from '../../indexer/replay/chain-replay.js';
import { isForced, type ReplayWish, requestOf, wishOf } from '../../indexer/replay/replay-source.js';
import { progressOf, type ReplayProgress, runReplay } from '../../indexer/replay/run-replay.js';
import { nameProcess } from '../../indexer/workers/process-name.js';
import type { ReplayJob, ReplayRunner, TakenReplay } from '../../storage/replay-jobs.js';
import { formatCount } from '../amounts.js';
import type { ConfigOptions } from '../config-option.js';
import { print, printJsonLine } from '../storage/output.js';
import { runStorageCommand, type StorageCommand } from '../storage/run-command.js';
import { describeJob, describeProgress } from './describe.js';

/** Options of the commands that run a replay. */
export interface RunOptions extends ConfigOptions, ReplayLimits {
  readonly again?: boolean;
  readonly json?: boolean;
}

/** A runner that gives no sign for so long counts as gone. */
const LEASE_MS = 15_000;
const RUNS_ELSEWHERE = 2;
const SOME_UNKNOWN = 3;
const STOPPED = 130;

/** The text of a file of ids; `-`: standard input. @throws IndexerError when it cannot be read. */
export function idsIn(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new IndexerError('NO_IDS', `the file ${file} cannot be read`, false, { cause });
  }
}

/** Runs the replay that is wished for, or goes on with it. @returns the exit code. */
export async function runWish(options: RunOptions, toWish: (config: Config) => ReplayWish): Promise<number> {
  return await run(options, async ({ config }, { storage, jobs }, runner) => {
    const wish = toWish(config);
    await check(wish, config, storage);
    return await jobs.begin(requestOf(wish), runner, options.again === true);
  });
}

/** Goes on with a replay. @returns the exit code. */
export async function resumeJob(options: RunOptions, id: bigint): Promise<number> {
  return await run(options, async (_command, { jobs }, runner) => {
    const taken = await jobs.take(id, runner);
    if (taken) return taken;
    throw new IndexerError(
      'NO_REPLAY',
      `there is no replay ${id}: ccv-indexer replay list shows those there are`,
      false,
    );
  });
}

async function run(
  options: RunOptions,
  take: (command: StorageCommand, opened: ReplayStorage, runner: ReplayRunner) => Promise<TakenReplay>,
): Promise<number> {
  return await runStorageCommand(options, async (command) => {
    const { config, common } = command;
    await ensureMigrated(config, common, { apply: false, use: 'write' });
    const opening = createShutdown({ log: common.log });
    try {
      const opened = await openReplayStorage(config, common, opening);
      const { member, hasEnded } = nameProcess(common.random);
      const taken = await take(command, opened, { owner: member, leaseMs: LEASE_MS, hasEnded });
      if (taken.kind !== 'taken') return tellTaken(taken, options);
      return await runTaken(taken, { options, command, opened, opening });
    } finally {
      await opening.close();
    }
  });
}

async function check(wish: ReplayWish, config: Config, storage: ReplayStorage['storage']): Promise<void> {
  if (wish.kind === 'chain') {
    if (wish.from > wish.to)
      throw new IndexerError('REPLAY_RANGE', `--from ${wish.from} is above --to ${wish.to}`, false);
    await checkReplayedBlocks(watchedChain(sectionNamed(config.Chain, wish.chain, 'Chain')), wish.to, storage);
  } else if (wish.kind === 'discovery') {
    if (wish.sources.length === 0) throw new IndexerError('NO_SOURCE', 'no [[Discoveries]] is configured', false);
    for (const name of wish.sources) sectionNamed(config.Discoveries, name, 'Discoveries');
  }
}

function tellTaken({ kind, job }: Exclude<TakenReplay, { kind: 'taken' }>, { json }: RunOptions): number {
  const isDone = kind === 'done';
  if (json === true) printJsonLine({ event: isDone ? 'done before' : 'runs elsewhere', ...describeJob(job) });
  else if (isDone)
    print(
      `replay ${job.id} is done already: ${describeProgress(progressOf(job))}`,
      'the same command with --again starts a new one',
    );
  else
    print(
      `replay ${job.id} runs elsewhere, by ${job.owner}: ${describeProgress(progressOf(job))}`,
      `ccv-indexer replay status --id ${job.id} shows how far it is`,
    );
  return isDone ? 0 : RUNS_ELSEWHERE;
}

async function runTaken(
  { job, lease }: Extract<TakenReplay, { kind: 'taken' }>,
  parts: {
    readonly options: RunOptions;
    readonly command: StorageCommand;
    readonly opened: ReplayStorage;
    readonly opening: ReturnType<typeof createShutdown>;
  },
): Promise<number> {
  const { options, command, opened, opening } = parts;
  const { config, common, signal, progress: view } = command;
  const isJson = options.json === true;
  tellStart(job, isJson);
  let last: ReplayProgress | null = null;
  const onProgress = (progress: ReplayProgress) => {
    const news = progress.unknownIds.slice(last?.unknownIds.length ?? 0);
    last = progress;
    const { read, total, unit } = progress;
    if (isJson) printJsonLine({ event: 'progress', id: job.id, ...progress, unknownIds: news });
    else view.show({ step: `replay ${job.id}`, done: read, total, unit });
  };
  try {
    const means = { config, storage: opened.storage, limits: options, common, shutdown: opening };
    const wish = wishOf(job);
    const source = await openReplaySource(wish, means);
    const run = { ...opened, job, lease, leaseMs: LEASE_MS, source, replaces: isForced(wish), common, onProgress };
    const ended = await runReplay(run, signal);
    view.close();
    tellEnd(job, 'done', ended, isJson);
    return ended.unknown > 0 ? SOME_UNKNOWN : 0;
  } catch (thrown) {
    view.close();
    const isStopped = thrown instanceof AbortedError && signal.aborted;
    tellEnd(job, isStopped ? 'stopped' : 'failed', last, isJson);
    if (isStopped) return STOPPED;
    throw thrown;
  }
}

function tellStart(job: ReplayJob, isJson: boolean): void {
  const isNew = job.cursor === null;
  if (isJson) printJsonLine({ event: isNew ? 'started' : 'resumed', ...describeJob(job) });
  else print(isNew ? `replay ${job.id} begins` : `replay ${job.id} goes on: ${describeProgress(progressOf(job))}`);
}

function tellEnd(
  { id }: ReplayJob,
  state: 'done' | 'stopped' | 'failed',
  progress: ReplayProgress | null,
  isJson: boolean,
): void {
  const resume = `ccv-indexer replay resume --id ${id}`;
  if (isJson) {
    printJsonLine({ event: state, id, ...(state === 'done' ? {} : { resume }), ...progress });
    return;
  }
  print(`replay ${id} ${state === 'done' ? 'is done' : state}: ${describeProgress(progress)}`);
  if (state !== 'done') print(`to go on: ${resume}, with the same configuration; the same command does as well`);
  const { unknown = 0, unknownIds = [] } = progress ?? {};
  if (unknown === 0) return;
  print(`no source knows these ${formatCount(unknown)} messages:`, ...unknownIds.map((messageId) => `  ${messageId}`));
  if (unknown > unknownIds.length) print(`  and ${formatCount(unknown - unknownIds.length)} more`);
}
