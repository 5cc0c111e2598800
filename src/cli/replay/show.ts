import { openReplayStorage, type ReplayStorage } from '../../app/open-replay.js';
import { IndexerError } from '../../core/errors.js';
import { createShutdown } from '../../core/shutdown.js';
import { progressOf } from '../../indexer/replay/run-replay.js';
import { formatMs } from '../amounts.js';
import type { ConfigOptions } from '../config-option.js';
import { print, printJson } from '../storage/output.js';
import { runStorageCommand } from '../storage/run-command.js';
import { textTable } from '../text-table.js';
import { describeJob, describeProgress, describeRequest, stateOf } from './describe.js';

/** Options of the commands that show replays. */
export interface ShowOptions extends ConfigOptions {
  readonly json?: boolean;
}

/** Shows one replay. @returns the exit code. */
export async function showJob(options: ShowOptions, id: bigint): Promise<number> {
  return await withJobs(options, async (jobs) => {
    const job = await jobs.get(id);
    if (!job) throw new IndexerError('NO_REPLAY', `there is no replay ${id}`, false);
    if (options.json === true) printJson(describeJob(job));
    else
      print(
        `replay ${id} (${stateOf(job)}): ${describeProgress(progressOf(job))}`,
        ...textTable(
          [
            ['request', describeRequest(job)],
            ['cursor', job.cursor ?? '-'],
            ['runner', job.owner ?? '-'],
            ['created', formatMs(job.createdMs)],
            ['last sign of life', formatMs(job.heartbeatMs)],
            ['ended', formatMs(job.endedMs ?? -1)],
            ...(job.error === null ? [] : [['error', job.error]]),
          ],
          '  ',
        ),
      );
    return 0;
  });
}

/** Shows the last replays. @returns the exit code. */
export async function showJobs(options: ShowOptions, limit: number): Promise<number> {
  return await withJobs(options, async (jobs) => {
    const all = await jobs.list(limit);
    if (options.json === true) printJson(all.map(describeJob));
    else if (all.length === 0) print('no replays');
    else
      print(
        ...textTable([
          ['id', 'state', 'created', 'request', 'read'],
          ...all.map((job) => {
            const { read, unit } = progressOf(job) ?? { read: 0, unit: '' };
            return [String(job.id), stateOf(job), formatMs(job.createdMs), describeRequest(job), `${read} ${unit}`];
          }),
        ]),
      );
    return 0;
  });
}

async function withJobs(
  options: ConfigOptions,
  work: (jobs: ReplayStorage['jobs']) => Promise<number>,
): Promise<number> {
  return await runStorageCommand(options, async ({ config, common }) => {
    const opening = createShutdown({ log: common.log });
    try {
      return await work((await openReplayStorage(config, common, opening)).jobs);
    } finally {
      await opening.close();
    }
  });
}
