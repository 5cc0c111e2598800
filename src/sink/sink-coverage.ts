import type { Coverage } from '../model/coverage.js';
import type { Candidate } from './backend.js';

/**
 * The coverage of all candidates together: the times from the latest that any of them covers back to the first that
 * none covers. Positions are those of the leader, which is asked for changes.
 */
export function sinkCoverage(leader: Coverage, candidates: readonly Candidate[]): Coverage {
  const usable = candidates.flatMap((candidate) => candidate.usable ?? []);
  const throughMs = usable.reduce((latest, { toMs }) => Math.max(latest, toMs), -1);
  let fromMs = throughMs + 1;
  for (let grew = true; grew; ) {
    grew = false;
    for (const interval of usable)
      if (interval.fromMs < fromMs && interval.toMs >= fromMs - 1) {
        fromMs = interval.fromMs;
        grew = true;
      }
  }
  return {
    afterMs: Math.max(-1, fromMs - 1),
    throughMs,
    afterPosition: leader.afterPosition,
    throughPosition: leader.throughPosition,
    movePosition: leader.movePosition,
  };
}
