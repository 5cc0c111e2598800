import type { Execution, MessageDetail, Verification } from '../../server/answers.js';

/** A step on a message's way. */
export interface Step {
  readonly kind: 'sent' | 'indexed' | 'final' | 'verified' | 'missing' | 'executed';
  /** Unix milliseconds; null: it is not known, or has not happened. */
  readonly atMs: number | null;
  /** From the step before; null of one that has no exact time. */
  readonly sinceMs: number | null;
  readonly verification?: Verification;
  readonly execution?: Execution;
  readonly ccv?: string;
  readonly missing?: string;
}

/** Steps at one time stand in this order. */
const RANKS: Readonly<Record<Step['kind'], number>> = {
  sent: 0,
  indexed: 1,
  final: 2,
  verified: 3,
  missing: 4,
  executed: 5,
};

/**
 * The way of a message in the order of time, then the steps that have not happened. No log tells when a block became
 * final: it was so when the first verifier signed, and a message that none has signed may not be final yet.
 */
export function stepsOf(message: MessageDetail): readonly Step[] {
  const verifications = [...message.requiredCCVs.flatMap((each) => each.verifications), ...message.otherVerifications];
  const signedMs = verifications.map(({ attestedAt }) => Date.parse(attestedAt));
  const happened: Step[] = [
    ...(message.origin ? [stepAt('sent', message.origin.blockTime)] : []),
    stepAt('indexed', message.firstIngestedAt),
    ...verifications.map((verification) => ({ ...stepAt('verified', verification.attestedAt), verification })),
    ...message.executions.map((execution) => ({ ...stepAt('executed', execution.place.blockTime), execution })),
  ];
  if (signedMs.length > 0) happened.push({ kind: 'final', atMs: Math.min(...signedMs), sinceMs: null });
  happened.sort((a, b) => (a.kind === 'sent' ? -1 : 0) - (b.kind === 'sent' ? -1 : 0) || byTime(a, b));
  let beforeMs: number | null = null;
  const timed = happened.map((step): Step => {
    const sinceMs = beforeMs === null || step.atMs === null ? null : Math.max(0, step.atMs - beforeMs);
    if (step.kind === 'final') return step;
    beforeMs = step.atMs;
    return { ...step, sinceMs };
  });
  return [...timed, ...missingSteps(message, signedMs.length > 0)];
}

function missingSteps(message: MessageDetail, isSigned: boolean): Step[] {
  const open = { atMs: null, sinceMs: null };
  const missing = message.requiredCCVs.flatMap(({ address, missing: reason }): Step[] =>
    reason === null ? [] : [{ kind: 'missing', ...open, ccv: address, missing: reason }],
  );
  const isExecuted = message.executions.some(({ state, orphaned }) => state === 'success' && !orphaned);
  return [
    ...(isSigned || message.orphaned ? [] : [{ kind: 'final' as const, ...open }]),
    ...missing,
    ...(isExecuted || message.orphaned ? [] : [{ kind: 'executed' as const, ...open }]),
  ];
}

function stepAt(kind: Step['kind'], time: string): Step {
  return { kind, atMs: Date.parse(time), sinceMs: null };
}

function byTime(a: Step, b: Step): number {
  return (a.atMs ?? 0) - (b.atMs ?? 0) || RANKS[a.kind] - RANKS[b.kind];
}

/** Milliseconds from the first known step to the last execution that succeeded; null: there is none. */
export function wholeWayMs(steps: readonly Step[]): number | null {
  const [first] = steps;
  const done = steps.find(({ kind, execution }) => kind === 'executed' && execution?.state === 'success');
  return first?.atMs != null && done?.atMs != null ? Math.max(0, done.atMs - first.atMs) : null;
}

/** The reason of a missing verification in words. */
export function missingText(reason: string): string {
  switch (reason) {
    case 'waiting':
      return 'its verifiers are asked until the visibility window ends';
    case 'timeout':
      return 'the visibility window ended without a result';
    case 'orphaned':
      return 'a reorg removed the message';
    case 'no-verifier':
      return 'no configured verifier serves this CCV';
    default:
      return reason;
  }
}
