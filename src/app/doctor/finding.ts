/** How bad a finding is, the mildest first; its place is the exit code of `ccv-indexer doctor`. */
export const SEVERITIES = ['info', 'warning', 'error', 'critical'] as const;

/**
 * - `info`: a fact that explains others; nothing is wrong
 * - `warning`: nothing fails yet, or only a part that others stand in for
 * - `error`: a part of the work is not done, or is done wrong
 * - `critical`: answers may be wrong, records may be lost, or nothing works
 */
export type Severity = (typeof SEVERITIES)[number];

/** A kind of finding. Its id is stable: alerts and runbooks name it. */
export interface FindingKind {
  readonly severity: Severity;
  /** One sentence. */
  readonly meaning: string;
  /**
   * The step of an operator. `ccv-indexer …` in backticks is a command; `{subject}` and the names of evidence in braces
   * stand for their values.
   */
  readonly next: string;
}

/** The figures behind a finding. Times are unix ms, durations ms, as the names say. */
export type Evidence = Readonly<Record<string, string | number | bigint | boolean | null | readonly string[]>>;

/** The way to put a finding right, safe beside running processes. */
export interface Repair {
  /** The work and its place, for the person who agrees to it. */
  readonly title: string;
  /** @throws IndexerError when it failed; then it may be tried again. */
  run(signal: AbortSignal): Promise<void>;
}

/** The parts of a finding that can differ from those of its kind. */
export type FindingChanges = Partial<FindingKind> & { readonly repair?: Repair };

/** Something that a person on call wants to know. */
export interface Finding extends FindingKind {
  readonly id: string;
  /** The check that found it. */
  readonly check: string;
  /** The backend, chain, verifier … that it is about, by its name in the configuration. */
  readonly subject: string;
  readonly evidence: Evidence;
  /** Null: a person has to do it. */
  readonly repair: Repair | null;
}

/** 0 for nothing or info, 1 for warning, 2 for error, 3 for critical: that of the worst. */
export function exitCodeOf(findings: readonly Pick<Finding, 'severity'>[]): number {
  return Math.max(0, ...findings.map(({ severity }) => SEVERITIES.indexOf(severity)));
}

/** The finding of a kind about a subject; `changes` replace parts of the kind. */
export function createFinding(
  place: Pick<Finding, 'id' | 'check' | 'subject' | 'evidence'>,
  kind: FindingKind,
  { repair, ...changes }: FindingChanges = {},
): Finding {
  const { severity, meaning, next } = { ...kind, ...changes };
  const values: Readonly<Record<string, unknown>> = { ...place.evidence, subject: place.subject };
  const filled = next.replace(/\{(\w+)\}/g, (word, name: string) => String(values[name] ?? word));
  return { ...place, severity, meaning, next: filled, repair: repair ?? null };
}
