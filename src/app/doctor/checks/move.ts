import { messagesOf } from '../../../core/errors.js';
import { errorOf, type MoveView, type Sight } from '../../../migration/move-ends.js';
import { isUnderWay, type MoveState } from '../../../migration/move-state.js';
import type { MoveProcess } from '../../../storage/move-store.js';
import { defineCheck, type Look } from '../check.js';

/** Processes follow a phase within five seconds, and the lead is handed over in one. */
const SETTLED_MS = 60_000;

type Id = 'move-under-way' | 'move-database-away' | 'move-differs' | 'move-without-leader' | 'move-process-behind';

/** The move of the deployment to another database, where one is configured. */
export const moveCheck = defineCheck<Id>({
  name: 'move',
  about: 'the move of the deployment to another database, where `[Migration]` has one',
  kinds: {
    'move-under-way': {
      severity: 'info',
      meaning: 'The deployment moves to another database, which explains a second one that follows or leads.',
      next: '`ccv-indexer migration status`',
    },
    'move-database-away': {
      severity: 'error',
      meaning: 'A database of the move gives no answer, so the move cannot go on, nor be taken back.',
      next: 'see its URI, network and server; the move goes on where it stands once it answers',
    },
    'move-differs': {
      severity: 'error',
      meaning: 'The last comparison found records that the new database holds differently, so it is not switched to.',
      next: '`ccv-indexer migration compare`, which lists and mends them',
    },
    'move-without-leader': {
      severity: 'critical',
      meaning: 'The lead is on its way from one database to the other for long: nothing is written or answered.',
      next: 'start a worker if none runs, which ends it; else `ccv-indexer migration status` says what it waits for',
    },
    'move-process-behind': {
      severity: 'warning',
      meaning: 'A process works by an earlier phase of the move, although there was time to follow.',
      next: 'see its log; restart it',
    },
  },
  async run(look) {
    const { move } = look;
    if (!move) return;
    await look.each(
      [move],
      () => 'the move',
      async (present) => {
        if ('error' in present) throw present.error;
        const { view, processes } = present;
        for (const side of ['from', 'to'] as const) tellSight(side, view[side], look);
        if (view.state && isUnderWay(view.state)) tellState(view.state, view, processes, look);
      },
    );
  },
});

function tellSight(side: 'from' | 'to', sight: Sight, { config, found }: Look<Id>): void {
  const error = errorOf(sight);
  if (error === null) return;
  const { From = '', To = '' } = config.Migration ?? {};
  found('move-database-away', side === 'from' ? From : To, { reason: messagesOf(error).join(': ') });
}

function tellState(
  state: MoveState,
  view: MoveView,
  processes: readonly MoveProcess[],
  { common, found }: Look<Id>,
): void {
  const { phase, from, to, history, handover, comparison, revision } = state;
  const nowMs = common.clock.nowMs();
  const sinceMs = history.at(-1)?.atMs ?? nowMs;
  const subject = `${from} → ${to}`;
  found('move-under-way', subject, { phase, sinceMs, revision, processes: processes.length });
  if (comparison && comparison.differences > 0)
    found('move-differs', subject, { differences: comparison.differences, comparedMs: comparison.atMs });
  const isSettled = nowMs - sinceMs > SETTLED_MS;
  if (handover !== null && isSettled) found('move-without-leader', subject, { to: handover, sinceMs });
  for (const each of processes)
    if (each.revision < view.revision && isSettled)
      found('move-process-behind', each.process, { role: each.role, revision: each.revision, present: view.revision });
}
