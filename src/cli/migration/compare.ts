import { allColdSections, openCold } from '../../app/cold-backends.js';
import { limitsOf } from '../../app/move/roles.js';
import { lookOf, type MoveEnds } from '../../migration/move-ends.js';
import { compareRecords, type ParityReport } from '../../migration/parity/compare.js';
import { repairDifferences } from '../../migration/parity/repair.js';
import { createThrottle } from '../../migration/throttle.js';
import type { RecordRef } from '../../model/identity.js';
import { formatCount } from '../amounts.js';
import { print, printJson } from '../storage/output.js';
import { runDry } from './dry-run.js';
import { compareWithGo } from './from-go.js';
import { type MoveCommandContext, type MoveOptions, withMove } from './move-context.js';

/** Options of `migration compare`. */
export interface CompareOptions extends MoveOptions {
  readonly repair: boolean;
  readonly list: number;
  /** The share of live questions that are asked of the new database too. */
  readonly shadow?: number;
}

/** Differences that are repaired before all is compared again, and how often that is done. */
const REPAIRED_AT_ONCE = 10_000;
const REPAIRS = 5;

/** Compares both databases, and keeps the outcome. @returns the exit code: 1 when they differ. */
export async function compare(options: CompareOptions): Promise<number> {
  return await withMove(options, async (context) => {
    if (options.dryRun === true) return await runDry('compare', options, context);
    const { move, progress } = context;
    await move.run('compare');
    const { ours } = context;
    if (ours === null) return await compareGo(options, context);
    if (options.shadow !== undefined) await ours.move.shadow(options.shadow);
    const { report, repaired } = await comparison(options, context, ours.ends);
    progress.close();
    const { differenceCounts, records, throughPosition } = report;
    const differences = differenceCounts.missing + differenceCounts.surplus + differenceCounts.different;
    await move.compared({
      ...{ atMs: context.common.clock.nowMs(), throughPosition: String(throughPosition), records, differences },
    });
    const shown = { ...report, differences: report.differences.slice(0, options.list) };
    if (options.json === true) printJson({ ...shown, repaired });
    else
      print(...(repaired > 0 ? [`${formatCount(repaired)} records repaired`] : []), ...reportLines(shown, differences));
    return differences === 0 ? 0 : 1;
  });
}

async function compareGo(options: CompareOptions, context: MoveCommandContext): Promise<number> {
  const { rows, differences, repaired } = await compareWithGo(options.repair, context);
  context.progress.close();
  const { position } = (await context.to.moves.look()).head;
  const atMs = context.common.clock.nowMs();
  await context.move.compared({ atMs, throughPosition: String(position), records: rows, differences });
  if (options.json === true) printJson({ rows, differences, repaired });
  else print(`${formatCount(rows)} rows: ${formatCount(differences)} differences, ${formatCount(repaired)} repaired`);
  return differences === 0 ? 0 : 1;
}

/** Compares, and with `repair` mends and compares again until nothing is left to mend. */
async function comparison(
  { repair, list }: CompareOptions,
  context: MoveCommandContext,
  ends: MoveEnds,
): Promise<{ readonly report: ParityReport; readonly repaired: number }> {
  const { config, common, signal, progress, move } = context;
  const { view } = await move.look();
  const isPruned = (lookOf(view.from)?.floor.position ?? 0n) > 0n;
  const [section] = isPruned ? allColdSections(config) : [];
  const archive = section ? openCold(config, section, common) : null;
  const leader = { storage: ends.from.storage, ...(archive ? { past: archive.storage } : {}) };
  const follower = ends.to.storage;
  let repaired = 0;
  try {
    for (let repairs = 0; ; repairs += 1) {
      const report = await compareRecords({
        ...{ leader, follower: { storage: follower }, common, signal },
        listed: repair ? Math.max(list, REPAIRED_AT_ONCE) : list,
        throttle: createThrottle({
          ...{ limits: limitsOf(config), clock: common.clock },
          lag: () => ends.from.moves.standbyLagMs(),
        }),
        onProgress: ({ throughPosition, targetPosition }) =>
          progress.show({
            step: `compare ${ends.from.name} and ${ends.to.name}`,
            done: Number(throughPosition),
            total: Number(targetPosition),
            unit: 'positions',
          }),
      });
      const { differences } = report;
      if (!repair || differences.length === 0 || repairs === REPAIRS) return { report, repaired };
      repaired += (await repairDifferences({ leader, follower, differences, signal })).mended.length;
    }
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
