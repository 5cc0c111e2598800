import { type Condition, commandIn, type MoveCommand } from '../../migration/conditions.js';
import type { Move } from '../../migration/move.js';
import { errorOf, lookOf } from '../../migration/move-ends.js';
import type { MoveState, Phase, Side } from '../../migration/move-state.js';
import type { MoveProcess } from '../../storage/move-store.js';
import { formatCount, formatMs } from '../amounts.js';
import { textTable, wordTable } from '../text-table.js';
import { type ShadowStatus, shadowLines, shadowStatus } from './shadow-status.js';

/** One of the two databases, as it is shown. */
export interface DatabaseStatus {
  readonly name: string;
  readonly side: Side;
  /** Null where it does not answer. */
  readonly leads: boolean | null;
  readonly position: bigint | null;
  readonly headMs: number | null;
  /** Records up to the first are there, up to the second they are to come; null: all are there. */
  readonly backfill: { readonly position: bigint; readonly throughPosition: bigint } | null;
  readonly error: string | null;
}

/** A move as `migration status` shows it; `--json` prints it as it is. */
export interface MoveStatus {
  readonly phase: Phase | null;
  readonly handover: Side | null;
  readonly revision: number;
  readonly databases: readonly DatabaseStatus[];
  /** Positions by which the new database is behind; null where one does not answer, or the new one leads. */
  readonly lagPositions: bigint | null;
  readonly comparison: MoveState['comparison'];
  readonly shadow: ShadowStatus;
  readonly processes: readonly Omit<MoveProcess, 'figures'>[];
  readonly history: MoveState['history'];
  readonly next: { readonly command: string; readonly conditions: readonly Condition[] };
}

const NEXT: Readonly<Record<Phase, MoveCommand | null>> = {
  prepared: 'start',
  'dual-write': 'backfill',
  backfilling: 'compare',
  comparing: 'switch',
  switched: 'finish',
  finished: null,
  'rolled-back': 'prepare',
};

/** Looks at both databases. @throws the error of the databases when neither answers. */
export async function moveStatus(
  move: Pick<Move, 'look' | 'conditions'>,
  names: Readonly<Record<Side, string>>,
): Promise<MoveStatus> {
  const { view, processes } = await move.look();
  const { state } = view;
  const databases = (['from', 'to'] as const).map((side): DatabaseStatus => {
    const sight = view[side];
    const look = lookOf(sight);
    return {
      ...{ name: names[side], side },
      leads:
        look && !look.handedOver && (side === 'from' || state?.phase === 'switched' || state?.phase === 'finished'),
      position: look?.head.position ?? null,
      headMs: look?.head.ingestionMs ?? null,
      backfill: look?.backfill ?? null,
      error: errorOf(sight)?.message ?? null,
    };
  });
  const [from, to] = [lookOf(view.from), lookOf(view.to)];
  const next = state === null ? 'prepare' : NEXT[state.phase];
  return {
    phase: state?.phase ?? null,
    handover: state?.handover ?? null,
    revision: view.revision,
    databases,
    lagPositions: from && to && from.head.position >= to.head.position ? from.head.position - to.head.position : null,
    comparison: state?.comparison ?? null,
    shadow: shadowStatus(state?.shadow ?? 0, processes),
    processes: processes.map(({ figures, ...process }) => process),
    history: state?.history ?? [],
    next: {
      command: commandIn(state?.phase ?? null),
      conditions: next === null ? [] : await move.conditions(next),
    },
  };
}

/** The status for people. */
export function statusLines(status: MoveStatus): readonly string[] {
  const { phase, handover, databases, lagPositions, comparison, shadow, processes, history, next } = status;
  const since = history.at(-1);
  return [
    `phase: ${phase ?? 'no move was begun'}${since ? `, since ${formatMs(since.atMs)}` : ''}`,
    ...(handover ? [`the lead is on its way to ${databases.find(({ side }) => side === handover)?.name}`] : []),
    ...wordTable(databases.map(databaseCells)),
    ...(lagPositions === null ? [] : [`lag: ${formatCount(lagPositions)} positions`]),
    ...(comparison
      ? [
          `compared ${formatMs(comparison.atMs)}: ${formatCount(comparison.records)} records up to position ` +
            `${comparison.throughPosition}, ${formatCount(comparison.differences)} differences`,
        ]
      : []),
    ...(shadow.share > 0 ? shadowLines(shadow) : []),
    `processes: ${processes.length}`,
    ...textTable(
      processes.map(({ process, role, revision }) => [
        process,
        role,
        revision === status.revision ? 'in step' : 'follows in seconds',
      ]),
      '  ',
    ),
    `next: ${next.command}`,
    ...next.conditions
      .filter(({ holds }) => !holds)
      .map(({ what, found }) => `  needs that ${what}${found ? ` (${found})` : ''}`),
  ];
}

function databaseCells({ name, side, leads, position, headMs, backfill, error }: DatabaseStatus): readonly string[] {
  if (error !== null) return [`  ${name}`, side === 'from' ? 'old' : 'new', 'does not answer:', error];
  if (position === null) return [`  ${name}`, 'old', 'is read by the commands of the move'];
  return [
    `  ${name}`,
    side === 'from' ? 'old' : 'new',
    leads === true ? 'leads' : 'does not lead',
    `position ${formatCount(position)}`,
    `last commit ${formatMs(headMs ?? -1)}`,
    ...(backfill
      ? [`backfilled ${formatCount(backfill.position)} of ${formatCount(backfill.throughPosition)} positions`]
      : []),
  ];
}
