import type { MoveLook, MoveProcess } from '../storage/move-store.js';
import { errorOf, lookOf, type MoveEnds, type MoveView, otherSide } from './move-ends.js';
import { isUnderWay, leadingSide, type MoveState, type Phase, type Side } from './move-state.js';

/** The commands of a move, in their order; `rollback` ends it from every phase but the last. */
export type MoveCommand = 'prepare' | 'start' | 'backfill' | 'compare' | 'switch' | 'rollback' | 'finish';

/** One condition of a command. */
export interface Condition {
  /** A sentence that is true when the condition holds. */
  readonly what: string;
  readonly holds: boolean;
  /** The facts at this moment, when there are more to tell. */
  readonly found?: string;
  /** The act that makes it hold. */
  readonly instead?: string;
  /** It comes to hold by itself within seconds, while processes run. */
  readonly passes?: boolean;
}

/** Everything that conditions are judged by. */
export interface MoveFacts {
  readonly view: MoveView;
  readonly processes: readonly MoveProcess[];
}

/** A follower that lacks so many positions is brought up to its leader in well under a second. */
const CURRENT_POSITIONS = 2_000n;

/** What is asked of both databases, besides the view. */
export async function factsOf(ends: MoveEnds, view: MoveView): Promise<MoveFacts> {
  const side: Side = view.state === null ? 'from' : leadingSide(view.state);
  const answering = lookOf(view[side]) ? side : otherSide[side];
  return { view, processes: await ends[answering].moves.processes() };
}

/** The conditions of a command, each with whether it holds. The command is done when all do. */
export async function conditionsOf(
  command: MoveCommand,
  ends: MoveEnds,
  { view, processes }: MoveFacts,
): Promise<readonly Condition[]> {
  const answer = (side: Side): Condition => {
    const error = errorOf(view[side]);
    return {
      what: `${ends[side].name} answers`,
      holds: error === null,
      ...(error ? { found: error.message } : {}),
      instead: `mend the connection to ${ends[side].name}`,
    };
  };
  const phase = (...allowed: readonly Phase[]): Condition => {
    const now = view.state?.phase ?? null;
    return {
      what: `the move is ${allowed.join(' or ')}`,
      holds: now !== null && allowed.includes(now),
      found: now === null ? 'none was begun' : `it is ${now}`,
      instead: commandIn(now),
    };
  };
  if (isDone(command, view.state))
    return [{ what: `the move is ${phaseOf[command]}`, holds: true, found: 'already: nothing is left to do' }];
  const both = [answer('from'), answer('to')];
  // nobody leads: all that can be done is to bring the lead where it is on its way to, or to take it back
  if (view.state?.handover) return [...both, onItsWay(command, view.state.handover)];
  switch (command) {
    case 'prepare':
      return [...both, ...(await preparable(ends, view))];
    case 'start':
      return [...both, phase('prepared'), leads('from', ends, view)];
    case 'backfill':
      return [...both, phase('dual-write'), follows(processes)];
    case 'compare':
      return [...both, phase('backfilling'), backfilled(ends, view)];
    case 'switch':
      return [...both, phase('comparing'), compared(ends, view), current('to', ends, view), inStep(view, processes)];
    case 'finish':
      return [answer('to'), phase('switched'), inStep(view, processes)];
    case 'rollback':
      if (view.state?.phase === 'switched') return [...both, current('from', ends, view)];
      return [phase('prepared', 'dual-write', 'backfilling', 'comparing', 'switched'), answer('from')];
  }
}

/** The conditions of giving up a database that does not answer: the new one, or the old one in a cut rollback. */
export function abandonable(gone: Side, ends: MoveEnds, { view }: MoveFacts): readonly Condition[] {
  const { state } = view;
  const left = otherSide[gone];
  return [
    {
      what: gone === 'to' ? 'the move is under way' : 'a rollback was begun, and not ended',
      holds: state !== null && (gone === 'to' ? isUnderWay(state) : state.handover === 'from'),
      found: state === null ? 'none was begun' : `it is ${state.phase}`,
      instead: commandIn(state?.phase ?? null),
    },
    {
      what: `${ends[gone].name} does not answer`,
      holds: errorOf(view[gone]) !== null,
      instead: `ccv-indexer migration ${gone === 'to' ? 'rollback' : 'switch'}`,
    },
    {
      what: `${ends[left].name} answers`,
      holds: lookOf(view[left]) !== null,
      instead: `mend the connection to ${ends[left].name}`,
    },
  ];
}

function onItsWay(command: MoveCommand, to: Side): Condition {
  const found = `it is on its way to the ${to === 'to' ? 'new' : 'old'} database`;
  return {
    what: 'the lead is not on its way from one database to the other',
    holds: command === 'switch' || command === 'rollback',
    found,
    instead: `ccv-indexer migration ${to === 'to' ? 'switch' : 'rollback'}, which ends that`,
  };
}

/** The phase that a command brings a move into. */
const phaseOf: Readonly<Record<MoveCommand, Phase>> = {
  prepare: 'prepared',
  start: 'dual-write',
  backfill: 'backfilling',
  compare: 'comparing',
  switch: 'switched',
  rollback: 'rolled-back',
  finish: 'finished',
};

/** A command that was killed may have done its work, or the processes have ended it: given again, it is no error. */
export function isDone(command: MoveCommand, state: MoveState | null): boolean {
  return state !== null && state.handover === null && state.phase === phaseOf[command];
}

/** The next command of a phase. */
export function commandIn(phase: Phase | null): string {
  const name = (command: MoveCommand) => `ccv-indexer migration ${command}`;
  switch (phase) {
    case null:
    case 'rolled-back':
      return name('prepare');
    case 'prepared':
      return name('start');
    case 'dual-write':
      return name('backfill');
    case 'backfilling':
      return name('compare');
    case 'comparing':
      return name('switch');
    case 'switched':
      return name('finish');
    case 'finished':
      return 'nothing: the move is over';
  }
}

async function preparable(ends: MoveEnds, view: MoveView): Promise<Condition[]> {
  const { state } = view;
  const idle: Condition = {
    what: 'no move is under way',
    holds: state === null || !isUnderWay(state),
    ...(state ? { found: `one is ${state.phase}` } : {}),
    instead: `${commandIn(state?.phase ?? null)}, or ccv-indexer migration rollback`,
  };
  const [from, to] = [lookOf(view.from), lookOf(view.to)];
  if (!idle.holds || !from || !to) return [idle];
  return [idle, leads('from', ends, view), await areTwo(ends), await isPartOf(ends, from, to)];
}

/** Two names may lead to one database, by another address of its server. */
async function areTwo({ from, to }: MoveEnds): Promise<Condition> {
  const process = `probe of ${from.name} and ${to.name}`;
  await from.moves.attend({ process, role: 'probe', revision: 0, figures: null }, 5_000);
  const seen = (await to.moves.processes()).some((each) => each.process === process);
  await from.moves.leave(process);
  return {
    what: `${from.name} and ${to.name} are two databases, or two schemas`,
    holds: !seen,
    instead: `write the URI or the Schema of the new database into backend ${to.name}`,
  };
}

async function isPartOf(ends: MoveEnds, from: MoveLook, to: MoveLook): Promise<Condition> {
  const { position, ingestionMs } = to.head;
  const isEmpty = position === 0n;
  const known = isEmpty || position > from.head.position ? null : await ends.from.storage.boundaryAt({ position });
  const isSame = known !== null && known.position === position && known.ingestionMs === ingestionMs;
  return {
    what: `${ends.to.name} is empty, or holds a part of what ${ends.from.name} does`,
    holds: isEmpty || isSame,
    found:
      position < from.floor.position
        ? `it stands at position ${position}, and ${ends.from.name} has pruned what it had up to ${from.floor.position}`
        : `it stands at position ${position}`,
    instead: `name an empty database, or drop the schema of ${ends.to.name} and bring it up to date again`,
  };
}

function leads(side: Side, ends: MoveEnds, view: MoveView): Condition {
  const look = lookOf(view[side]);
  return {
    what: `${ends[side].name} leads, and holds a whole state`,
    holds: look !== null && !look.handedOver && look.isWhole,
    ...(look?.handedOver ? { found: 'it has handed over to another database' } : {}),
    instead: `name the database that leads as From`,
  };
}

function follows(processes: readonly MoveProcess[]): Condition {
  return {
    what: 'a worker runs, which does the work',
    holds: processes.some(({ role }) => role === 'worker'),
    instead: 'ccv-indexer start (or worker) with this configuration',
  };
}

function backfilled(ends: MoveEnds, view: MoveView): Condition {
  const to = lookOf(view.to);
  const left = to?.backfill;
  return {
    what: `${ends.to.name} holds everything from the beginning`,
    holds: to !== null && left === null,
    ...(left ? { found: `records up to position ${left.position} of ${left.throughPosition} are there` } : {}),
    instead: 'ccv-indexer migration backfill, which waits for the workers',
  };
}

function compared(ends: MoveEnds, { state }: MoveView): Condition {
  const comparison = state?.comparison ?? null;
  return {
    what: `the last comparison of ${ends.from.name} and ${ends.to.name} found no difference`,
    holds: comparison?.differences === 0,
    found: comparison === null ? 'there was none' : `it found ${comparison.differences}`,
    instead: 'ccv-indexer migration compare --repair',
  };
}

/** A side that is to lead is brought close before the other one ends its lead: meanwhile nobody leads. */
function current(side: Side, ends: MoveEnds, view: MoveView): Condition {
  const [next, leading] = [lookOf(view[side]), lookOf(view[otherSide[side]])];
  const lag = next && leading ? leading.head.position - next.head.position : null;
  return {
    what: `${ends[side].name} follows closely: at most ${CURRENT_POSITIONS} positions behind`,
    holds: lag !== null && lag >= 0n && lag <= CURRENT_POSITIONS,
    found: lag !== null && lag < 0n ? `it is ${-lag} positions ahead` : `it is ${lag ?? 'unknown'} positions behind`,
    instead: 'wait until it has caught up; ccv-indexer migration status shows whether a worker runs',
    passes: true,
  };
}

function inStep({ state }: MoveView, processes: readonly MoveProcess[]): Condition {
  const late = processes.filter(({ revision }) => revision !== state?.revision);
  return {
    what: 'every process works by the present phase',
    holds: late.length === 0,
    found:
      late.length === 0
        ? `${processes.length} processes`
        : `${late.length} of ${processes.length} do not yet: ${late.map(({ process }) => process).join(', ')}`,
    instead: 'wait for five seconds, or stop those processes',
    passes: true,
  };
}
