import { type Clock, systemClock } from '../core/clock.js';
import { toError } from '../core/errors.js';
import { StorageUnavailableError } from '../model/storage-errors.js';
import type { BackendStorage } from '../storage/backend-storage.js';
import type { MoveLook, MoveStore } from '../storage/move-store.js';
import { decodeState, isUnderWay, type MoveState, MoveStateError, type Side } from './move-state.js';

/** One of the two databases, opened as one that follows: it is read and applied to whoever leads. */
export interface MoveEnd {
  /** The backend's name in the configuration. */
  readonly name: string;
  readonly storage: BackendStorage;
  readonly moves: MoveStore;
}

/** Both databases of a move. */
export interface MoveEnds {
  readonly from: MoveEnd;
  readonly to: MoveEnd;
}

/** What could be learnt of one database. `foreign`: another program's, which takes no part by itself. */
export type Sight = { readonly look: MoveLook } | { readonly error: Error } | 'foreign';

/** Both databases at about the same time, and the state that is right. */
export interface MoveView {
  /** Null: no move between the two was ever begun. */
  readonly state: MoveState | null;
  /** The highest revision that either database holds, 0 for none: also of an earlier move. */
  readonly revision: number;
  readonly from: Sight;
  readonly to: Sight;
}

export const otherSide: Readonly<Record<Side, Side>> = { from: 'to', to: 'from' };

/**
 * Looks at both databases. One that cannot be reached does not hinder: the state is then that of the other one, which
 * cannot say less than who leads, because the lead is ended in a database before it begins in the other.
 * @throws MoveStateError when the databases are not those of one move; the error of `from` when neither answers.
 */
export async function viewMove(ends: MoveEnds, clock: Pick<Clock, 'sleep'> = systemClock): Promise<MoveView> {
  const [from, to] = await Promise.all([sightOf(ends.from, clock), sightOf(ends.to, clock)]);
  const [first, second] = [errorOf(from), errorOf(to)];
  if (first && second) throw first;
  const states = [stateOf(ends, 'from', from), stateOf(ends, 'to', to)].flatMap((state) => state ?? []);
  const newest = states.toSorted((a, b) => b.revision - a.revision)[0];
  const isOurs = newest?.from === ends.from.name && newest.to === ends.to.name;
  if (newest && !isOurs && isUnderWay(newest))
    throw new MoveStateError(
      'MOVE_SIDES_SWAPPED',
      `a move from ${newest.from} to ${newest.to} is under way, and the configuration names one from ` +
        `${ends.from.name} to ${ends.to.name}: write From and To of [Migration] as they were when it began`,
    );
  return { state: newest && isOurs ? newest : null, revision: newest?.revision ?? 0, from, to };
}

/** The look, when there was one. */
export function lookOf(sight: Sight): MoveLook | null {
  return sight !== 'foreign' && 'look' in sight ? sight.look : null;
}

/** The error, where there was no look. */
export function errorOf(sight: Sight): Error | null {
  return sight !== 'foreign' && 'error' in sight ? sight.error : null;
}

/** How long a database may take to say what it knows. */
const ANSWER_MS = 2_000;
/** Looks under way: a silent database is asked once. */
const looks = new WeakMap<MoveStore, Promise<Sight>>();

/** Looks at one database, for two seconds at most; never throws. */
export async function sightOf({ name, moves }: MoveEnd, clock: Pick<Clock, 'sleep'> = systemClock): Promise<Sight> {
  let asked = looks.get(moves);
  if (asked === undefined) {
    asked = lookAt(moves).finally(() => looks.delete(moves));
    looks.set(moves, asked);
  }
  const answered = new AbortController();
  const silence = clock.sleep(ANSWER_MS, answered.signal).then(
    (): Sight => ({ error: new StorageUnavailableError(name, `answer within ${ANSWER_MS} ms`) }),
    (): Sight => ({ error: new StorageUnavailableError(name, 'answer') }),
  );
  try {
    return await Promise.race([asked, silence]);
  } finally {
    answered.abort();
  }
}

async function lookAt(moves: MoveStore): Promise<Sight> {
  try {
    return { look: await moves.look() };
  } catch (thrown) {
    return { error: toError(thrown) };
  }
}

function stateOf(ends: MoveEnds, side: Side, sight: Sight): MoveState | null {
  const record = lookOf(sight)?.record;
  if (!record) return null;
  const { side: own, ...state } = decodeState(record, ends[side].name);
  const isOurs = state.from === ends.from.name && state.to === ends.to.name;
  if (isOurs && own !== side)
    throw new MoveStateError(
      'MOVE_SIDES_SWAPPED',
      `${ends[side].name} is the ${own === 'from' ? 'old' : 'new'} database of the move from ${state.from} to ` +
        `${state.to}: its URI was given to the other name of [Migration]`,
    );
  return state;
}
