import type { Common } from '../core/common.js';
import { toError } from '../core/errors.js';
import { createRareWarning } from '../core/rare-warning.js';
import type { Standing } from '../sink/replaceable-sink.js';
import { bringLead, endTakingBack, fenceOthers } from './handover.js';
import { lookOf, type MoveEnds, type MoveView, viewMove } from './move-ends.js';
import { encodeState, type MoveState, type Side } from './move-state.js';

/** Between two looks at the databases. */
const LOOK_MS = 500;
/** How long a look waits for the lead to be handed over. */
const BRING_MS = 3_000;
/** A process that says nothing for so long is taken to be gone. */
const ATTENDS_MS = 10_000;
/** Between two words of a process that works by the same revision. */
const ATTEND_MS = 2_000;

/** Dependencies of a watch. */
export interface MoveWatchOptions {
  readonly ends: MoveEnds;
  readonly common: Common;
  /** Unique among processes, and its role in words. */
  readonly process: { readonly name: string; readonly role: string };
  /** It may write: it brings the lead where it is on its way to, and tells one database of the other. */
  readonly writes: boolean;
  /**
   * Called with every state of a new revision, the first included, one after the other. The process works by it when
   * the promise resolves; when it rejects, the same is tried again.
   */
  readonly follow: (state: MoveState | null) => Promise<void>;
  /** Its figures of shadow reads as a document, for `migration status`; null: none. */
  readonly figures: () => string | null;
}

/**
 * Follows a move for one process.
 *
 * ```
 * waiting ── LOOK_MS, or asked ──▶ looking ── nothing new ──────────────────────▶ waiting
 *                                  looking ── the lead is on its way ──▶ brings it, looks again
 *                                  looking ── a new revision ──▶ follow(state) ──▶ waiting
 * any ── close() ──▶ closed
 * ```
 */
export interface MoveWatch {
  /**
   * Looks now, and follows a new state.
   * @throws the error of the databases when neither answers.
   */
  look(): Promise<MoveView>;
  /** Whether the Sink of this process is the right one, after a look. */
  standing(): Promise<Standing>;
  /** Begins to look by itself. */
  start(): void;
  /** The state by which the process works; null also where no move was begun. */
  state(): MoveState | null;
  /** Whether it works by one already: not while the lead is on its way. */
  hasFollowed(): boolean;
  close(): Promise<void>;
}

export function createMoveWatch(options: MoveWatchOptions): MoveWatch {
  const { ends, common, process, writes, follow, figures } = options;
  const { clock, log } = common;
  const stop = new AbortController();
  const warn = createRareWarning(common);
  let followed: MoveState | null = null;
  let hasFollowed = false;
  let attended: { readonly revision: number; readonly atMs: number } | null = null;
  let looking: Promise<MoveView> | null = null;
  let bringing: Promise<void> | null = null;
  let mending: Promise<void> | null = null;
  let loop: Promise<void> | null = null;

  function look(): Promise<MoveView> {
    looking ??= lookOnce().finally(() => {
      looking = null;
    });
    return looking;
  }

  async function lookOnce(): Promise<MoveView> {
    let view = await viewMove(ends, clock);
    if (writes && view.state?.handover) {
      await bring(view.state);
      view = await viewMove(ends, clock);
    }
    // first, so that a database that takes no writes keeps no process from following
    await followView(view);
    attend(view);
    if (writes)
      mending ??= mend(view).finally(() => {
        mending = null;
      });
    return view;
  }

  /** One at a time; a look does not wait for a silent database. */
  async function bring(state: MoveState): Promise<void> {
    bringing ??= bringLead(ends, state, clock.nowMs())
      .then(
        () => undefined,
        (thrown: unknown) => warn({ err: toError(thrown) }, 'the lead cannot be brought to its new place at present'),
      )
      .finally(() => {
        bringing = null;
      });
    const waited = new AbortController();
    const silence = clock.sleep(BRING_MS, waited.signal).catch(() => 'brought');
    await Promise.race([bringing, silence]);
    waited.abort();
  }

  /** Each part by itself: what one database refuses is no reason to leave the other one. Nothing waits for it. */
  async function mend(view: MoveView): Promise<void> {
    for (const part of [tell, endTakingBack.bind(null, ends), fenceOthers.bind(null, ends)])
      try {
        await part(view);
      } catch (thrown) {
        warn({ err: toError(thrown) }, 'a database of the move could not be told of its state');
      }
  }

  async function followView({ state }: MoveView): Promise<void> {
    // while the lead is on its way nothing is to be changed yet
    const isNew = !hasFollowed || (state !== null && state.revision !== followed?.revision);
    if (!isNew || state?.handover) return;
    await follow(state);
    if (hasFollowed && state?.phase !== followed?.phase)
      log.info({ phase: state?.phase, before: followed?.phase }, 'the move is in another phase');
    followed = state;
    hasFollowed = true;
  }

  /** A database that was away when the state changed has an earlier one. */
  async function tell({ state, ...sights }: MoveView): Promise<void> {
    if (state === null) return;
    for (const side of ['from', 'to'] satisfies Side[]) {
      const known = lookOf(sights[side])?.record;
      if (known === undefined || (known?.revision ?? 0) >= state.revision) continue;
      await ends[side].moves.put(encodeState(state, side));
    }
  }

  /** Nothing waits for it. */
  function attend(sights: MoveView): void {
    const revision = followed?.revision ?? 0;
    if (attended?.revision === revision && clock.monotonicMs() - attended.atMs < ATTEND_MS) return;
    attended = { revision, atMs: clock.monotonicMs() };
    for (const side of ['from', 'to'] satisfies Side[]) {
      if (lookOf(sights[side]) === null) continue;
      ends[side].moves
        .attend({ process: process.name, role: process.role, revision, figures: figures() }, ATTENDS_MS)
        // an account that may only read is no reason to stop
        .catch((thrown: unknown) => log.debug({ err: toError(thrown), backend: ends[side].name }, 'not attending'));
    }
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await look();
      } catch (thrown) {
        warn({ err: toError(thrown) }, 'the move cannot be followed at present');
      }
      await clock.sleep(LOOK_MS, stop.signal).catch(() => 'stopping');
    }
  }

  return {
    look,
    async standing() {
      try {
        // one that began before the question was asked may have seen too little
        await looking;
        return (await look()).state?.handover ? 'changing' : 'right';
      } catch (thrown) {
        log.debug({ err: toError(thrown) }, 'the standing of the databases cannot be told');
        return 'right';
      }
    },
    start() {
      loop ??= run();
    },
    state: () => followed,
    hasFollowed: () => hasFollowed,
    async close() {
      stop.abort();
      await loop;
      await bringing;
      await mending;
      for (const side of ['from', 'to'] satisfies Side[])
        await ends[side].moves.leave(process.name).catch(() => 'its row expires by itself');
    },
  };
}
