import { AbortedError, messagesOf, toError } from '../../core/errors.js';
import { outsideText } from '../../core/outside-text.js';
import type { Finding } from './finding.js';

/** The end of a repair; `declined`: a person did not agree to it. */
export type RepairOutcome =
  | { readonly state: 'done' | 'declined' }
  | { readonly state: 'failed'; readonly reason: string };

/** How repairs are run. */
export interface RepairOptions {
  /** Asked before each repair, by its title. */
  agree(title: string): Promise<boolean>;
  /** Told the end of each. */
  onOutcome?(title: string, outcome: RepairOutcome): void;
  readonly signal: AbortSignal;
}

/**
 * Repairs what can be, one after the other; one that fails ends none of the others.
 * @returns the findings with an outcome, by their repair.
 * @throws AbortedError when `signal` aborts, between two repairs.
 */
export async function repairFindings(
  findings: readonly Finding[],
  { agree, onOutcome, signal }: RepairOptions,
): Promise<ReadonlyMap<Finding, RepairOutcome>> {
  const outcomes = new Map<Finding, RepairOutcome>();
  for (const finding of findings) {
    const { repair } = finding;
    if (!repair) continue;
    if (signal.aborted) throw new AbortedError('repairing', { cause: signal.reason });
    const outcome: RepairOutcome = (await agree(repair.title)) ? await run(repair.run, signal) : { state: 'declined' };
    outcomes.set(finding, outcome);
    onOutcome?.(repair.title, outcome);
  }
  return outcomes;
}

async function run(repair: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<RepairOutcome> {
  try {
    await repair(signal);
    return { state: 'done' };
  } catch (thrown) {
    return { state: 'failed', reason: outsideText(messagesOf(toError(thrown)).join(': '), 500) };
  }
}
