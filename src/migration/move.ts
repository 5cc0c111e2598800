import type { Common } from '../core/common.js';
import { IndexerError } from '../core/errors.js';
import { type Condition, conditionsOf, factsOf, isDone, type MoveCommand, type MoveFacts } from './conditions.js';
import { bringLead, endTakingBack, handingOver } from './handover.js';
import { lookOf, type MoveEnds, type MoveView, otherSide, viewMove } from './move-ends.js';
import { changed, encodeState, inPhase, leadingSide, type MoveState, type Phase, type Side } from './move-state.js';

/** How often a step is begun again when another process changed the state meanwhile. */
const ATTEMPTS = 5;

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

  /** Makes `step` from the newest state until its outcome is stored. */
  async function settle(command: MoveCommand, step: (view: MoveView) => Promise<MoveState | null>): Promise<MoveState> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const view = await viewMove(ends);
      await endTakingBack(ends, view);
      const state = await step(view);
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
    return await bringLead(ends, state.handover === to ? state : handingOver(state, to), clock.nowMs());
  }

  async function rollBack(view: MoveView): Promise<MoveState | null> {
    const state = stateOf(view);
    if (state.phase === 'switched') return await handOver(view, 'from');
    const back = inPhase(state, 'rolled-back', clock.nowMs());
    if (state.handover === null) return await store(back, view);
    // the place of the state by which the new one would lead is taken: from here on it cannot
    if (!(await ends.to.moves.put(encodeState(back, 'to')))) return null;
    return (await ends.from.moves.leadAgain(encodeState(back, 'from'))) ? back : null;
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
        return await handOver(view, 'to');
      case 'finish':
        return await enter(view, 'finished');
      case 'rollback':
        return await rollBack(view);
    }
  }

  return {
    look,
    conditions: async (command) => await conditionsOf(command, ends, await look()),
    async run(command) {
      const failed = (await conditionsOf(command, ends, await look())).filter(({ holds }) => !holds);
      if (failed.length > 0) throw new MoveRefusedError(command, failed);
      return await settle(command, (view) => step(command, view));
    },
    abandonNew: () =>
      settle('rollback', async (view) => {
        const back = inPhase(stateOf(view), 'rolled-back', clock.nowMs());
        return (await ends.from.moves.leadAgain(encodeState(back, 'from'))) ? back : null;
      }),
    shadow: (share) => settle('compare', (view) => store(changed(stateOf(view), { shadow: share }), view)),
    compared: (comparison) => settle('compare', (view) => store(changed(stateOf(view), { comparison }), view)),
  };
}
