import type { Common } from '../../core/common.js';
import { BEGINNING } from '../../model/boundary.js';
import type { KeptRows } from '../../storage/move-store.js';
import { type Condition, commandIn, isDone, type MoveCommand, type MoveFacts } from '../conditions.js';
import { type Move, MoveRefusedError, MoveUnsettledError } from '../move.js';
import { errorOf, lookOf, type MoveEnd, type MoveView, sightOf } from '../move-ends.js';
import { changed, decodeState, encodeState, inPhase, isUnderWay, type MoveState, type Phase } from '../move-state.js';
import { type GoIndexerImport, hasImport } from './go-indexer-import.js';
import type { GoIndexerReport } from './import-report.js';

/** The name of the old side of such a move. */
export const GO_INDEXER = 'go-indexer';

/** A move whose old side is the Go indexer: it writes its own database, and is stopped before the switch. */
export interface GoIndexerMove extends Omit<Move, 'shadow' | 'abandonNew' | 'abandonOld'> {
  /** The report of the last pass of `run('switch')`; null before. */
  report(): GoIndexerReport | null;
}

/** `other`: a move of other names that the database takes part in. */
interface GoView extends MoveView {
  readonly other: MoveState | null;
}

const NOTHING: KeptRows = { leases: '[]', members: '[]', replayJobs: '[]', replacements: '[]' };

/**
 * The phases of a move from the Go indexer's database. The new database alone keeps the state, and is fenced until the
 * switch. `opens` gives the import for one command.
 */
export function createGoIndexerMove(
  { to, opens }: { readonly to: MoveEnd; readonly opens: () => GoIndexerImport },
  { clock, random }: Pick<Common, 'clock' | 'random'>,
): GoIndexerMove {
  let lastReport: GoIndexerReport | null = null;

  async function view(): Promise<GoView> {
    const sight = await sightOf(to);
    const record = lookOf(sight)?.record ?? null;
    const state = record && decodeState(record, to.name);
    const isOurs = state?.from === GO_INDEXER && state.to === to.name;
    const known = state && withoutSide(state);
    return {
      ...{ state: isOurs ? known : null, other: isOurs ? null : known },
      ...{ revision: record?.revision ?? 0, from: 'foreign', to: sight },
    };
  }

  async function look(): Promise<MoveFacts & { readonly view: GoView }> {
    const seen = await view();
    return { view: seen, processes: lookOf(seen.to) ? await to.moves.processes() : [] };
  }

  async function conditions(command: MoveCommand): Promise<readonly Condition[]> {
    const { view: seen, processes } = await look();
    const answers: Condition = {
      what: `${to.name} answers`,
      holds: lookOf(seen.to) !== null,
      ...(errorOf(seen.to) ? { found: errorOf(seen.to)?.message ?? '' } : {}),
      instead: `mend the connection to ${to.name}`,
    };
    const phase = (...allowed: readonly Phase[]): Condition => ({
      what: `the move is ${allowed.join(' or ')}`,
      holds: seen.state !== null && allowed.includes(seen.state.phase),
      found: seen.state === null ? 'none was begun' : `it is ${seen.state.phase}`,
      instead: commandIn(seen.state?.phase ?? null),
    });
    if (!answers.holds) return [answers];
    if (isDone(command, seen.state)) return [answers];
    switch (command) {
      case 'prepare':
        return [answers, idle(seen.other ?? seen.state), await isFree(seen), ...(await readable())];
      case 'start':
        return [answers, phase('prepared')];
      case 'backfill':
        return [answers, phase('dual-write')];
      case 'compare':
        return [answers, phase('backfilling')];
      case 'switch':
        return [answers, phase('comparing'), compared(seen.state)];
      case 'finish':
        return [
          answers,
          phase('switched'),
          {
            what: 'every process works by the present phase',
            holds: processes.every(({ revision }) => revision === seen.state?.revision),
            instead: 'wait for five seconds, or stop those processes',
            passes: true,
          },
        ];
      case 'rollback':
        return [answers, phase('prepared', 'dual-write', 'backfilling', 'comparing', 'switched')];
    }
  }

  /** One that leads, or has led, has commits of its own, which no import can go on from. */
  async function isFree({ state, to: sight }: MoveView): Promise<Condition> {
    const look = lookOf(sight);
    const hasLed = state?.history.some(({ phase }) => phase === 'switched') ?? false;
    const isImports = look?.handedOver === true && !hasLed && (await hasImport(to.storage));
    return {
      what: `${to.name} is empty, or was filled by such a move that was rolled back`,
      holds: look?.head.position === 0n || isImports,
      found: `it stands at position ${look?.head.position}`,
      instead: `name an empty database, or drop the schema of ${to.name}`,
    };
  }

  async function readable(): Promise<readonly Condition[]> {
    const source = opens();
    try {
      const { problems, zoneSampled, discoveries } = await source.check();
      const unknown = discoveries.unknown.map(({ location }) => location).join(', ');
      return [
        {
          what: 'the tables of the Go indexer can be read, and their times understood',
          holds: problems.length === 0,
          found: problems[0]?.message ?? `${zoneSampled} messages agree with the time zone`,
          ...(problems[0] ? { instead: problems[0].nextStep } : {}),
        },
        {
          what: 'each of its aggregators is configured in [[Discoveries]]',
          holds: discoveries.unknown.length === 0,
          ...(unknown ? { found: `not ${unknown}`, instead: 'add them, or delete their rows of discovery_state' } : {}),
        },
      ];
    } finally {
      await source.close();
    }
  }

  async function put(state: MoveState): Promise<MoveState | null> {
    return (await to.moves.put(encodeState(state, 'to'))) ? state : null;
  }

  function stateOf({ state }: MoveView, command: MoveCommand): MoveState {
    if (state === null) throw new MoveUnsettledError(command);
    return state;
  }

  async function step(command: MoveCommand): Promise<MoveState | null> {
    const seen = await view();
    if (isDone(command, seen.state)) return seen.state;
    const nowMs = clock.nowMs();
    if (command === 'prepare') {
      const move = Math.floor(random() * 2 ** 48).toString(16);
      return await put({
        ...{ move, revision: seen.revision + 1, from: GO_INDEXER, to: to.name, phase: 'prepared', handover: null },
        ...{ comparison: null, shadow: 0, history: [{ phase: 'prepared', atMs: nowMs }] },
      });
    }
    const state = stateOf(seen, command);
    const enter = async (phase: Phase) => await put(inPhase(state, phase, nowMs));
    switch (command) {
      case 'start': {
        const next = inPhase(state, 'dual-write', nowMs);
        return (await to.moves.follow(encodeState(next, 'to'), BEGINNING)) ? next : null;
      }
      case 'backfill':
        return await enter('backfilling');
      case 'compare':
        return await enter('comparing');
      case 'switch':
        return await switchOver(inPhase(state, 'switched', nowMs));
      case 'finish':
        return await enter('finished');
      case 'rollback': {
        const next = inPhase(state, 'rolled-back', nowMs);
        return (await to.moves.handOver(encodeState(next, 'to'))) ? next : null;
      }
    }
  }

  /** The last pass proves that nothing is written any more; then the new database begins to lead. */
  async function switchOver(next: MoveState): Promise<MoveState | null> {
    const source = opens();
    try {
      lastReport = await source.finish();
    } finally {
      await source.close();
    }
    const { head } = await to.moves.look();
    return (await to.moves.lead(encodeState(next, 'to'), { head, kept: NOTHING })) ? next : null;
  }

  async function settled(command: MoveCommand, state: MoveState | null): Promise<MoveState> {
    if (state === null) throw new MoveUnsettledError(command);
    return state;
  }

  return {
    look,
    conditions,
    async run(command) {
      const failed = (await conditions(command)).filter(({ holds }) => !holds);
      if (failed.length > 0) throw new MoveRefusedError(command, failed);
      return await settled(command, await step(command));
    },
    compared: async (comparison) =>
      await settled('compare', await put(changed(stateOf(await view(), 'compare'), { comparison }))),
    report: () => lastReport,
  };
}

function withoutSide({ side, ...state }: ReturnType<typeof decodeState>): MoveState {
  return state;
}

function idle(state: MoveState | null): Condition {
  return {
    what: 'no move is under way',
    holds: state === null || !isUnderWay(state),
    ...(state ? { found: `one is ${state.phase}` } : {}),
    instead: `${commandIn(state?.phase ?? null)}, or ccv-indexer migration rollback`,
  };
}

function compared(state: MoveState | null): Condition {
  const comparison = state?.comparison ?? null;
  return {
    what: 'the last pass over both found no difference',
    holds: comparison?.differences === 0,
    found: comparison === null ? 'there was none' : `it found ${comparison.differences}`,
    instead: 'ccv-indexer migration compare',
  };
}
