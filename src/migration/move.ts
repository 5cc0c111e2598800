import type { Common } from '../core/common.js';
import { IndexerError } from '../core/errors.js';
import {
  abandonable,
  type Condition,
  conditionsOf,
  factsOf,
  isDone,
  type MoveCommand,
  type MoveFacts,
} from './conditions.js';
import { bringLead, endTakingBack, handingOver, requireHistory, takeBack } from './handover.js';
import { lookOf, type MoveEnds, type MoveView, otherSide, viewMove } from './move-ends.js';
import { changed, encodeState, inPhase, leadingSide, type MoveState, type Phase, type Side } from './move-state.js';

/** How often a step is begun again when another process changed the state meanwhile. */
const ATTEMPTS = 5;
/** Revisions between the last state that the old database knows and the one by which the new one is given up. */
const ABANDONED = 1_000;

/** A command whose conditions do not hold; nothing was changed. */
export class MoveRefusedError extends IndexerError {
  readonly failed: readonly Condition[];
  constructor(command: MoveCommand, failed: readonly Condition[]) {
    const [first] = failed;
    const found = first?.found === undefined ? '' : ` (${first.found})`;
    super(
      'MOVE_REFUSED',
      `migration ${command} needs that ${first?.what}${found}. Instead: ${first?.instead ?? 'look at the status'}`,
      false,
      { details: { failed: failed.map(({ what, found: now }) => (now === undefined ? what : `${what} (${now})`)) } },
    );
    this.failed = failed;
  }
}

/** The state was changed by others again and again, or a database went away in between. */
export class MoveUnsettledError extends IndexerError {
  constructor(command: MoveCommand, cause?: unknown) {
    super(
      'MOVE_UNSETTLED',
      `migration ${command} was begun and could not be ended: nothing is lost, and the same command goes on`,
      true,
      cause === undefined ? {} : { cause },
    );
  }
}

/** The steps of a move, for people; processes follow them. */
export interface Move {
  look(): Promise<MoveFacts>;
  conditions(command: MoveCommand): Promise<readonly Condition[]>;
  /**
   * Checks the conditions, then brings the move into the phase of the command. One that it is in already is no error.
   * @throws MoveRefusedError, MoveUnsettledError, and errors of the databases.
   */
  run(command: MoveCommand): Promise<MoveState>;
  /**
   * `rollback` with a new database that does not answer and may have led: the old one leads again, from where it
   * stands. Its caller answers for it that the new one has no process that writes to it.
   */
  abandonNew(): Promise<MoveState>;
  /** `switch` after a rollback that was cut, when the old database does not answer: the new one leads again. */
  abandonOld(): Promise<MoveState>;
  /** Sets the share of live questions that are also asked of the new database, 0 to 1. */
  shadow(share: number): Promise<MoveState>;
  /** Keeps the outcome of a comparison, for `switch` to judge by. */
  compared(comparison: NonNullable<MoveState['comparison']>): Promise<MoveState>;
}

/** The move between two databases. */
export function createMove(ends: MoveEnds, { clock, random }: Pick<Common, 'clock' | 'random'>): Move {
  async function look(): Promise<MoveFacts> {
    return await factsOf(ends, await viewMove(ends));
  }

  /** Judges a view and makes `step` from the same one, until the outcome is stored: others may come between. */
  async function settle(
    command: MoveCommand,
    judge: (facts: MoveFacts) => Promise<readonly Condition[]>,
    step: (view: MoveView) => Promise<MoveState | null>,
  ): Promise<MoveState> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const facts = await look();
      const failed = (await judge(facts)).filter(({ holds }) => !holds);
      if (failed.length > 0) throw new MoveRefusedError(command, failed);
      await endTakingBack(ends, facts.view);
      const state = await step(facts.view);
      if (state !== null) return state;
    }
    throw new MoveUnsettledError(command);
  }

  /** Stores a state in the database that leads, which decides, and tells the other one. */
  async function store(state: MoveState, view: MoveView, first: Side = leadingSide(state)): Promise<MoveState | null> {
    if (!(await ends[first].moves.put(encodeState(state, first)))) return null;
    const other = otherSide[first];
    // one that is away is told by the processes once it is back
    if (lookOf(view[other])) await ends[other].moves.put(encodeState(state, other));
    return state;
  }

  function stateOf({ state }: MoveView): MoveState {
    if (state === null) throw new MoveUnsettledError('rollback');
    return state;
  }

  async function prepare(view: MoveView): Promise<MoveState | null> {
    const atMs = clock.nowMs();
    const move = Array.from({ length: 4 }, () =>
      Math.floor(random() * 2 ** 16)
        .toString(16)
        .padStart(4, '0'),
    ).join('');
    return await store(
      {
        ...{ move, revision: view.revision + 1, from: ends.from.name, to: ends.to.name },
        ...{ phase: 'prepared', handover: null, comparison: null, shadow: 0 },
        history: [{ phase: 'prepared', atMs }],
      },
      view,
    );
  }

  /** The new database stands where the old one does before any process is told to follow. */
  async function start(view: MoveView): Promise<MoveState | null> {
    const from = lookOf(view.from);
    if (from === null) return null;
    const state = inPhase(stateOf(view), 'dual-write', clock.nowMs());
    if (!(await ends.to.moves.follow(encodeState(state, 'to'), from.head))) return null;
    return await store(state, view);
  }

  async function enter(view: MoveView, phase: Phase): Promise<MoveState | null> {
    return await store(inPhase(stateOf(view), phase, clock.nowMs()), view);
  }

  async function handOver(view: MoveView, to: Side): Promise<MoveState | null> {
    const state = stateOf(view);
    if (state.handover === to) return await bringLead(ends, state, clock.nowMs());
    await requireHistory(ends, to);
    return await bringLead(ends, handingOver(state, to), clock.nowMs());
  }

  async function switchOver(view: MoveView): Promise<MoveState | null> {
    const state = stateOf(view);
    // a rollback was cut: the new one leads again
    if (state.handover === 'from') return await takeBack(ends, state, inPhase(state, 'switched', clock.nowMs()));
    return await handOver(view, 'to');
  }

  async function rollBack(view: MoveView): Promise<MoveState | null> {
    const state = stateOf(view);
    const back = inPhase(state, 'rolled-back', clock.nowMs());
    if (state.handover === 'to') return await takeBack(ends, state, back);
    return state.phase === 'switched' ? await handOver(view, 'from') : await store(back, view);
  }

  /** Keeps a part of the state while it is compared. */
  async function keep(part: Partial<Pick<MoveState, 'shadow' | 'comparison'>>): Promise<MoveState> {
    return await settle(
      'compare',
      (facts) => conditionsOf('compare', ends, facts),
      async (view) => await store(changed(stateOf(view), part), view),
    );
  }

  /** Lets the other side lead, in a phase, from where it stands. */
  async function abandon(gone: Side, phase: Phase): Promise<MoveState> {
    const leading = otherSide[gone];
    return await settle(
      gone === 'to' ? 'rollback' : 'switch',
      async (facts) => abandonable(gone, ends, facts),
      async (view) => {
        const state = stateOf(view);
        // above every state that the other one can have: it may have led meanwhile
        const next = inPhase({ ...state, revision: state.revision + ABANDONED }, phase, clock.nowMs());
        return (await ends[leading].moves.leadAgain(encodeState(next, leading))) ? next : null;
      },
    );
  }

  async function step(command: MoveCommand, view: MoveView): Promise<MoveState | null> {
    if (isDone(command, view.state)) return view.state;
    switch (command) {
      case 'prepare':
        return await prepare(view);
      case 'start':
        return await start(view);
      case 'backfill':
        return await enter(view, 'backfilling');
      case 'compare':
        return await enter(view, 'comparing');
      case 'switch':
        return await switchOver(view);
      case 'finish':
        return await enter(view, 'finished');
      case 'rollback':
        return await rollBack(view);
    }
  }

  return {
    look,
    conditions: async (command) => await conditionsOf(command, ends, await look()),
    run: (command) =>
      settle(
        command,
        (facts) => conditionsOf(command, ends, facts),
        (view) => step(command, view),
      ),
    abandonNew: () => abandon('to', 'rolled-back'),
    abandonOld: () => abandon('from', 'switched'),
    shadow: (share) => keep({ shadow: share }),
    compared: (comparison) => keep({ comparison }),
  };
}
