import { z } from 'zod';
import { IndexerError } from '../core/errors.js';
import type { MoveRecord } from '../storage/move-store.js';

/**
 * The phases of a move. In each, until the next:
 *
 * | phase       | leads, is read | follows | must take a write | before the next phase is allowed                  |
 * |-------------|----------------|---------|-------------------|---------------------------------------------------|
 * | prepared    | from           |         | from              | both databases answer, and `from` leads           |
 * | dual-write  | from           | to      | from              | a worker runs, which backfills                    |
 * | backfilling | from           | to      | from              | `to` holds everything from the beginning          |
 * | comparing   | from           | to      | from              | a comparison found no difference; `to` is current |
 * | switched    | to             | from    | to, and from      | every process works by this phase                 |
 * | finished    | to             |         | to                |                                                   |
 * | rolled-back | from           |         | from              | `prepare` begins another move                     |
 */
export const PHASES = [
  'prepared',
  'dual-write',
  'backfilling',
  'comparing',
  'switched',
  'finished',
  'rolled-back',
] as const;
export type Phase = (typeof PHASES)[number];

/** The two databases of a move: the old one and the new one. */
export type Side = 'from' | 'to';

const time = z.int().min(0);
const position = z.string().regex(/^\d+$/);

const state = z.strictObject({
  /** Which of the two databases has the document. */
  side: z.enum(['from', 'to']),
  /** Tells one move from another: random hex. */
  move: z.string(),
  /** The names of the two backends in the configuration. */
  from: z.string(),
  to: z.string(),
  phase: z.enum(PHASES),
  /** The lead is on its way to this side: no database leads until it has arrived there. */
  handover: z.enum(['from', 'to']).nullable(),
  /** The last comparison: what it found, up to a position. */
  comparison: z
    .strictObject({ atMs: time, throughPosition: position, records: z.int().min(0), differences: z.int().min(0) })
    .nullable(),
  /** The share of live questions that are also asked of the new database, 0 to 1. */
  shadow: z.number().min(0).max(1),
  history: z.array(z.strictObject({ phase: z.enum(PHASES), atMs: time })),
});

type StoredState = z.output<typeof state>;

/** A move as both databases know it. Of two states the one with the higher revision is right. */
export interface MoveState extends Omit<StoredState, 'side'> {
  readonly revision: number;
}

/** The document of a database is not one that this version wrote, or belongs to another place. */
export class MoveStateError extends IndexerError {
  constructor(code: 'MOVE_STATE_UNKNOWN' | 'MOVE_SIDES_SWAPPED', message: string, cause?: unknown) {
    super(code, message, false, cause === undefined ? {} : { cause });
  }
}

/** The document of a state for the database of a side. */
export function encodeState({ revision, ...others }: MoveState, side: Side): MoveRecord {
  return { revision, state: JSON.stringify({ side, ...others } satisfies StoredState) };
}

/**
 * The state in a document, and the side that its database was given.
 * @throws MoveStateError
 */
export function decodeState(
  { revision, state: text }: MoveRecord,
  backend: string,
): MoveState & { readonly side: Side } {
  try {
    return { revision, ...state.parse(JSON.parse(text)) };
  } catch (thrown) {
    throw new MoveStateError(
      'MOVE_STATE_UNKNOWN',
      `the state of the move in ${backend} is not one of this version: use the version that began it`,
      thrown,
    );
  }
}

/** Whether the move is not over. */
export function isUnderWay({ phase }: Pick<MoveState, 'phase'>): boolean {
  return phase !== 'finished' && phase !== 'rolled-back';
}

/** The side that leads in a phase; while the lead is handed over it is the one that has ended its own. */
export function leadingSide({ phase }: Pick<MoveState, 'phase'>): Side {
  return phase === 'switched' || phase === 'finished' ? 'to' : 'from';
}

/** The side that follows, or null. */
export function followingSide({ phase }: Pick<MoveState, 'phase'>): Side | null {
  switch (phase) {
    case 'dual-write':
    case 'backfilling':
    case 'comparing':
      return 'to';
    case 'switched':
      return 'from';
    default:
      return null;
  }
}

/** The state after this one, in another phase. */
export function inPhase(before: MoveState, phase: Phase, atMs: number): MoveState {
  return {
    ...before,
    revision: before.revision + 1,
    phase,
    handover: null,
    history: [...before.history, { phase, atMs }],
  };
}

/** The state after this one, in the same phase. */
export function changed(before: MoveState, change: Partial<Omit<MoveState, 'revision' | 'phase'>>): MoveState {
  return { ...before, ...change, revision: before.revision + 1 };
}
