import type { Examination } from '../../app/doctor/examine.js';
import { type Evidence, type Finding, SEVERITIES } from '../../app/doctor/finding.js';
import type { RepairOutcome } from '../../app/doctor/repair.js';
import { assertNever } from '../../core/errors.js';
import { formatDuration } from '../amounts.js';

/** A finding as it is told. */
type ToldFinding = Omit<Finding, 'repair'> & { readonly repair: { readonly title: string } | null };

/** The lines about an examination: each finding, then how many there are. */
export function describeExamination(checks: Examination['checks'], findings: readonly ToldFinding[]): string[] {
  return [...findings.flatMap(describeFinding), summary(checks, findings)];
}

/** The line about the end of a repair. */
export function describeOutcome(title: string, outcome: RepairOutcome): string {
  switch (outcome.state) {
    case 'done':
      return `repaired: ${title}`;
    case 'declined':
      return `not repaired: ${title}`;
    case 'failed':
      return `FAILED: ${title}: ${outcome.reason}`;
    default:
      return assertNever(outcome, 'outcome of a repair');
  }
}

function describeFinding({ id, subject, severity, meaning, evidence, next, repair }: ToldFinding): string[] {
  return [
    `${severity.toUpperCase()}  ${id}  ${subject}`,
    `  ${meaning}`,
    ...describeEvidence(evidence),
    `  next: ${next}`,
    ...(repair ? [`  repair: ${repair.title} (--repair)`] : []),
    '',
  ];
}

/** A line for each figure; times and durations also in words. */
function describeEvidence(evidence: Evidence): string[] {
  return Object.entries(evidence).map(([name, value]) => `  ${name}: ${shown(name, value)}`);
}

function shown(name: string, value: Evidence[string]): string {
  if (value === null) return 'none';
  if (typeof value === 'number' && /(age|ahead|behind|most|limit|skew|since|elapsed|for)Ms$/i.test(name))
    return formatDuration(value);
  if (typeof value === 'number' && /Ms$/.test(name)) return new Date(value).toISOString();
  return typeof value === 'object' ? value.join(', ') : String(value);
}

function summary(checks: Examination['checks'], findings: readonly ToldFinding[]): string {
  const slowestMs = Math.max(0, ...checks.map(({ elapsedMs }) => elapsedMs));
  const counts = [...SEVERITIES].reverse().flatMap((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}`];
  });
  const said = counts.length === 0 ? 'nothing to report' : counts.join(', ');
  return `${checks.length} checks in ${formatDuration(slowestMs)}: ${said}`;
}
