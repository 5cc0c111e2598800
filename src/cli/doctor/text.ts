import type { Examination } from '../../app/doctor/examine.js';
import { type Evidence, type Finding, SEVERITIES } from '../../app/doctor/finding.js';
import { formatDuration } from '../amounts.js';

/** The lines about an examination: each finding, then how many there are. */
export function describeExamination({ checks, findings }: Examination): string[] {
  return [...findings.flatMap(describeFinding), summary({ checks, findings })];
}

function describeFinding({ id, subject, severity, meaning, evidence, next }: Finding): string[] {
  return [
    `${severity.toUpperCase()}  ${id}  ${subject}`,
    `  ${meaning}`,
    ...describeEvidence(evidence),
    `  next: ${next}`,
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

function summary({ checks, findings }: Examination): string {
  const slowestMs = Math.max(0, ...checks.map(({ elapsedMs }) => elapsedMs));
  const counts = [...SEVERITIES].reverse().flatMap((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}`];
  });
  const said = counts.length === 0 ? 'nothing to report' : counts.join(', ');
  return `${checks.length} checks in ${formatDuration(slowestMs)}: ${said}`;
}
