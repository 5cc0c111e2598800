import { continuesHistory } from '../sink/follow/common-history.js';
import { lookOf, type MoveEnds, type MoveView, otherSide } from './move-ends.js';
import { changed, encodeState, inPhase, leadingSide, type MoveState, type Side } from './move-state.js';

/** Changes that are taken over at once. */
const PAGE_SIZE = 1_000;

/**
 * The state of a move while the lead is on its way to a side. It is stored with the end of the other side's lead, in
 * one transaction, so that it is there if and only if that has ended.
 */
export function handingOver(state: MoveState, to: Side): MoveState {
  return changed(state, { handover: to });
}

/**
 * Brings the lead to the side that the state names. Any process may do it, several at once, and again after a crash
 * anywhere:
 *
 * ```
 * 1  the other side ends its lead: under the commit lock, so its head is the last, with the state     no one leads
 * 2  the side takes over the changes up to that head
 * 3  the side begins its lead: under the commit lock, only at that head, with the next state          it leads
 * 4  the other side is told of that state
 * ```
 *
 * @returns the state that it has led to, which may be another process's work.
 * Null: another state came first. @throws errors of the databases: then the same can be done again.
 */
export async function bringLead(ends: MoveEnds, state: MoveState, nowMs: number): Promise<MoveState | null> {
  const { handover: side } = state;
  if (side === null) return state;
  const [next, old] = [ends[side], ends[otherSide[side]]];
  const ended = await old.moves.handOver(encodeState(state, otherSide[side]));
  if (ended === null) return null;
  // that the lead is on its way is known here too, for those who cannot reach the other one
  await next.moves.put(encodeState(state, side));
  await requireHistory(ends, side);
  for (;;) {
    const { head, isWhole } = await next.moves.look();
    if (isWhole && head.position >= ended.head.position) break;
    await next.storage.apply(await old.storage.changesAfter(head.position, PAGE_SIZE));
  }
  const led = inPhase(state, side === 'to' ? 'switched' : 'rolled-back', nowMs);
  if (!(await next.moves.lead(encodeState(led, side), ended))) return null;
  await old.moves.put(encodeState(led, otherSide[side]));
  return led;
}

/**
 * Takes a handing over back: the side that has ended its lead begins it again. The other side is told first, in the
 * place of the state by which it would lead, so that from then on it cannot. Null: another state came first.
 */
export async function takeBack(ends: MoveEnds, state: MoveState, back: MoveState): Promise<MoveState | null> {
  const { handover } = state;
  if (handover === null) return null;
  if (!(await ends[handover].moves.put(encodeState(back, handover)))) return null;
  const leading = otherSide[handover];
  return (await ends[leading].moves.leadAgain(encodeState(back, leading))) ? back : null;
}

/**
 * Ends a taking back that was cut: the state says who leads, the other one knows it and so cannot lead, and the one
 * that leads was not told. Any process may do it.
 */
export async function endTakingBack(ends: MoveEnds, { state, ...sights }: MoveView): Promise<void> {
  if (state === null || state.handover !== null) return;
  const leading = leadingSide(state);
  if (lookOf(sights[leading])?.handedOver !== true) return;
  if (lookOf(sights[otherSide[leading]])?.record?.revision === state.revision)
    await ends[leading].moves.leadAgain(encodeState(state, leading));
}

/**
 * Fences a database that should not lead and could: one that was away when it was given up, or was restored from a
 * backup of a time when it led.
 */
export async function fenceOthers(ends: MoveEnds, { state, ...sights }: MoveView): Promise<void> {
  if (state === null || state.handover !== null || state.phase === 'prepared') return;
  const side = otherSide[leadingSide(state)];
  const look = lookOf(sights[side]);
  if (look && !look.handedOver && look.head.position > 0n)
    await ends[side].moves.follow(encodeState(state, side), look.head);
}

/** @throws DivergedError when a side does not hold a part of what the other one does: it cannot lead after that. */
export async function requireHistory(ends: MoveEnds, side: Side): Promise<void> {
  const [next, old] = [ends[side].storage, ends[otherSide[side]].storage];
  await continuesHistory(next, old, next);
}
