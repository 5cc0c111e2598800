import { allColdSections, openCold } from '../../app/cold-backends.js';
import { migrationOf } from '../../app/move-roles.js';
import { lookOf } from '../../migration/move-ends.js';
import { compareStorages, type ParityReport } from '../../migration/parity/compare.js';
import { createThrottle } from '../../migration/throttle.js';
import type { RecordRef } from '../../model/identity.js';
import { formatCount } from '../amounts.js';
import { print, printJson } from '../storage/output.js';
import { type MoveCommandContext, type MoveOptions, runDry, withMove } from './steps.js';

/** Options of `migration compare`. */
export interface CompareOptions extends MoveOptions {
  readonly list: number;
}

/** Compares both databases, and keeps the outcome. @returns the exit code: 1 when they differ. */
export async function compare(options: CompareOptions): Promise<number> {
  return await withMove(options, async (context) => {
    if (options.dryRun === true) return await runDry('compare', options, context);
    const { move, progress } = context;
    await move.run('compare');
    const report = await comparison(options, context);
    progress.close();
    const { differenceCounts, records, throughPosition } = report;
    const differences = differenceCounts.missing + differenceCounts.surplus + differenceCounts.different;
    await move.compared({
      ...{ atMs: context.common.clock.nowMs(), throughPosition: String(throughPosition), records, differences },
    });
    if (options.json === true) printJson(report);
    else print(...reportLines(report, differences));
    return differences === 0 ? 0 : 1;
  });
}

async function comparison({ list }: CompareOptions, context: MoveCommandContext): Promise<ParityReport> {
  const { config, common, ends, signal, progress, move } = context;
  const { RowsPerSecond, MaxLatency, MaxReplicationLag } = migrationOf(config);
  const limits = { rowsPerSecond: RowsPerSecond, latencyMs: MaxLatency, lagMs: MaxReplicationLag };
  const { view } = await move.look();
  const isPruned = (lookOf(view.from)?.floor.position ?? 0n) > 0n;
  const [section] = isPruned ? allColdSections(config) : [];
  const archive = section ? openCold(config, section, common) : null;
  try {
    return await compareStorages({
      leader: { storage: ends.from.storage, ...(archive ? { past: archive.storage } : {}) },
      follower: { storage: ends.to.storage },
      ...{ common, signal, listed: list, throttle: createThrottle({ limits, clock: common.clock }) },
      onProgress: ({ throughPosition, targetPosition }) =>
        progress.show({
          step: `compare ${ends.from.name} and ${ends.to.name}`,
          done: Number(throughPosition),
          total: Number(targetPosition),
          unit: 'positions',
        }),
    });
  } finally {
    await archive?.close();
  }
}

function describeRef({ kind, record }: RecordRef): string {
  return `${kind} ${Object.values(record).join(' ')}`;
}

function reportLines(
  { records, throughPosition, buckets, changedSince, ...report }: ParityReport,
  differences: number,
) {
  const { missing, surplus, different } = report.differenceCounts;
  return [
    `${formatCount(records)} records up to position ${throughPosition}, in ${formatCount(buckets.length)} hours`,
    ...(changedSince > 0 ? [`${formatCount(changedSince)} changed meanwhile and are left out`] : []),
    differences === 0
      ? 'no difference'
      : `${formatCount(differences)} differences: ${missing} missing, ${surplus} surplus, ${different} different`,
    ...report.differences.map(
      ({ what, ref, leader, follower }) =>
        `  ${what.padEnd(9)}  ${describeRef(ref)}  position ${leader?.position ?? '-'} / ${follower?.position ?? '-'}`,
    ),
  ];
}
