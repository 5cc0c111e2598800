import { progressOf, type ReplayProgress } from '../../indexer/replay/run-replay.js';
import type { ReplayJob } from '../../storage/replay-jobs.js';
import { formatCount } from '../amounts.js';

/** Longer requests are cut: one may name many messages. */
const REQUEST_SHOWN = 200;

/** What a person sees of a state: `crashed` is a running job whose runner is gone. */
export function stateOf({ state, isHeld }: ReplayJob): string {
  return state === 'running' && !isHeld ? 'crashed' : state;
}

/** A job for programs: times as text, request and progress as objects. */
export function describeJob(job: ReplayJob) {
  const { id, kind, request, cursor, error, owner, createdMs, heartbeatMs, endedMs } = job;
  const timeOf = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    ...{ id, kind, state: stateOf(job), request: JSON.parse(request) as unknown, cursor, progress: progressOf(job) },
    ...{ error, owner, created: timeOf(createdMs), heartbeat: timeOf(heartbeatMs), ended: timeOf(endedMs) },
  };
}

/** A request for people. */
export function describeRequest({ request }: ReplayJob): string {
  return request.length > REQUEST_SHOWN ? `${request.slice(0, REQUEST_SHOWN)}…` : request;
}

/** How far a replay is, in one line. */
export function describeProgress(progress: ReplayProgress | null): string {
  if (progress === null) return 'nothing was read yet';
  const { read, total, unit, messages, verifierResults, updated, duplicates, conflicts, quarantined, replaced } =
    progress;
  const amount = total === null ? formatCount(read) : `${formatCount(read)} of ${formatCount(total)}`;
  const parts = [
    `${formatCount(messages)} messages and ${formatCount(verifierResults)} verifications new`,
    `${formatCount(duplicates)} records stored before`,
    ...(replaced > 0 ? [`${formatCount(replaced)} verifications replaced`] : []),
    ...(updated > 0 ? [`${formatCount(updated)} messages updated`] : []),
    ...(conflicts > 0 ? [`${formatCount(conflicts)} conflicts: the stored records stay`] : []),
    ...(quarantined > 0 ? [`${formatCount(quarantined)} quarantined`] : []),
  ];
  return `${amount} ${unit} read, ${parts.join(', ')}`;
}
