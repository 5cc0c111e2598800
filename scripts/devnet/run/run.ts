import { randomInt } from 'node:crypto';
import { ensureMigrated } from '../../../src/app/migrations.js';
import { type Service, startService } from '../../../src/app/service.js';
import { onSignals } from '../../../src/cli/signals.js';
import type { Config } from '../../../src/config/schema/schema.js';
import { type Common, createCommon } from '../../../src/core/common.js';
import { AbortedError } from '../../../src/core/errors.js';
import { createLogger } from '../../../src/core/logger.js';
import { createShutdown, type Shutdown } from '../../../src/core/shutdown.js';
import { createExecutor } from '../lane/executor.js';
import { createHistoryReader } from '../lane/history-reader.js';
import { createLaneProgress, type ProgressSnapshot } from '../lane/lane-progress.js';
import { createTraffic, type Traffic } from '../lane/traffic.js';
import { laneNotes } from '../view/lane-notes.js';
import { renderSummary, renderTable, renderTierLines, startLiveTable, tableStyle } from '../view/live-table.js';
import type { TierSnapshot } from '../view/tier-table.js';
import { devConfig } from './dev-config.js';
import { type Environment, startEnvironment } from './environment.js';
import { createTierActivity } from './tier-activity.js';

/** How `npm start` was called. */
export interface DevnetRun {
  /** Null: until a signal. */
  readonly sendForMs: number | null;
  /** 0: nothing is sent. */
  readonly ratePerSecond: number;
  /** False: messages are left to another executor. */
  readonly executes: boolean;
  /** Of the query API; the other ports follow it. 0: free ones. */
  readonly port: number;
  readonly dataDir: string;
}

/** How long the last messages may take from being sent to their last step. */
const DRAIN_LIMIT_MS = 60_000;
const DRAIN_POLL_MS = 100;
const EXECUTOR_POLL_MS = 500;

/**
 * Runs the whole lane.
 * @returns the exit code: 0 after a signal, or when everything sent was executed, or verified where nothing is executed.
 */
export async function runDevnet(run: DevnetRun): Promise<number> {
  const log = createLogger({ level: 'warn', format: 'auto' });
  const common = createCommon({ log });
  const shutdown = createShutdown({ log });
  const stopping = onSignals(shutdown, log);
  try {
    const started = await startAll(run, common, shutdown);
    return started === null ? 0 : await sendAndShow(run, { ...started, common, shutdown, stopping });
  } finally {
    await shutdown.close();
  }
}

/** Null when a signal came first: whatever was still being started failed then, for no other reason. */
async function startAll(
  run: DevnetRun,
  common: Common,
  shutdown: Shutdown,
): Promise<Pick<Running, 'config' | 'environment' | 'service'> | null> {
  try {
    const environment = await startEnvironment({
      ...{ common, dataDir: run.dataDir, firstPort: run.port, shutdown },
      onStep: say,
    });
    const config = devConfig(environment, run.port);
    say('starting the indexer');
    await ensureMigrated(config, common, { apply: true, use: 'write' });
    return { config, environment, service: await startService({ config, role: 'both', common, shutdown }) };
  } catch (thrown) {
    if (!shutdown.signal.aborted) throw thrown;
    common.log.debug({ err: thrown }, 'stopped while starting');
    return null;
  }
}

interface Running {
  readonly common: Common;
  readonly shutdown: Shutdown;
  readonly config: Config;
  readonly environment: Environment;
  readonly service: Service;
  readonly stopping: Promise<void>;
}

async function sendAndShow(run: DevnetRun, running: Running): Promise<number> {
  const { common, shutdown, config, environment, service, stopping } = running;
  const { chains, deployment } = environment;
  const apiUrl = service.apiUrl ?? '';
  const progress = createLaneProgress(() => common.clock.monotonicMs(), run.executes ? 'executed' : 'verified');
  const history = createHistoryReader({ common, apiUrl });
  shutdown.add('history reader', () => history.close());
  const tiers = createTierActivity({ common, config, service });
  shutdown.add('tier activity', () => tiers.close());
  const executor = createExecutor({
    common,
    apiUrls: [apiUrl],
    chains,
    deployment,
    pollIntervalMs: EXECUTOR_POLL_MS,
    // messages of earlier starts need no look where none is executed
    ...(run.executes ? {} : { executes: false, startMs: common.clock.nowMs() }),
    onProgress(report) {
      progress.report(report);
      if (report.verifiedMs !== null || report.executedMs !== null) history.know(report.messageId, report.ingestionMs);
    },
  });
  shutdown.add('executor', () => executor.close());
  const traffic = createTraffic({
    common,
    deployment,
    chains,
    ratePerSecond: run.ratePerSecond,
    // another seed each time: a second start must not send the messages of the first
    seed: randomInt(2 ** 31),
    onSent: progress.sent,
  });
  shutdown.add('traffic', () => traffic.close());
  const table = startLiveTable({
    clock: common.clock,
    stream: process.stdout,
    env: process.env,
    snapshot: progress.snapshot,
    tiers: tiers.snapshot,
    notes: () => [`api ${apiUrl}/v1/messages   admin ${service.adminUrl}/status   data ${run.dataDir}`],
  });
  say(`query API ${apiUrl}, admin port ${service.adminUrl}, data in ${run.dataDir}`);
  say([...laneNotes({ ...environment, apiUrl }), ''].join('\n'));
  if (run.ratePerSecond > 0) traffic.start();
  // only a failure of the indexer ends the race before the sending does
  const broken = service.finished.then(() => stopping).then(() => null);
  const drained = await Promise.race([sendThenDrain(run, running, traffic, progress.snapshot), broken]);
  await tiers.close();
  table.stop();
  return conclude(drained, progress.snapshot(), tiers.snapshot(), [
    ...count(traffic.counts().failed, 'messages could not be sent'),
    ...count(executor.rejectedCount(), 'answers of the API could not be used'),
    ...count(history.changedCount(), 'answers about the past were not what was said before'),
  ]);
}

/** Prints how it ended. @returns the exit code. */
function conclude(
  drained: boolean | null,
  snapshot: ProgressSnapshot,
  tiers: TierSnapshot | null,
  faults: readonly string[],
): number {
  const style = tableStyle(process.stdout, process.env);
  if (drained === null) {
    const underWay = snapshot.total.sent - snapshot.total.reached[snapshot.goal];
    const next = `stopped; the next start goes on with ${underWay} messages under way`;
    say([...renderTable(snapshot, style), ...renderTierLines(tiers, style), '', next, ...faults].join('\n'));
    return 0;
  }
  say([...renderSummary(snapshot, style, tiers), ...faults].join('\n'));
  return drained && faults.length === 0 ? 0 : 1;
}

function count(number: number, what: string): string[] {
  return number === 0 ? [] : [`${number} ${what}`];
}

/** Whether everything sent reached the goal in the end; null when a signal came first. */
async function sendThenDrain(
  { sendForMs }: DevnetRun,
  { common: { clock }, shutdown, stopping }: Running,
  traffic: Traffic,
  snapshot: () => ProgressSnapshot,
): Promise<boolean | null> {
  try {
    if (sendForMs === null) {
      await stopping;
      return null;
    }
    await clock.sleep(sendForMs, shutdown.signal);
    await traffic.stop();
    const deadlineMs = clock.monotonicMs() + DRAIN_LIMIT_MS;
    while (clock.monotonicMs() < deadlineMs && !allArrived(snapshot(), traffic))
      await clock.sleep(DRAIN_POLL_MS, shutdown.signal);
    return allArrived(snapshot(), traffic);
  } catch (thrown) {
    if (thrown instanceof AbortedError) return null;
    throw thrown;
  }
}

/** False when nothing of what was submitted was sent. */
function allArrived({ total, goal }: ProgressSnapshot, traffic: Traffic): boolean {
  return (total.sent > 0 || traffic.counts().submitted === 0) && total.reached[goal] === total.sent;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
