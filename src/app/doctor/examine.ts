import { AbortedError, codeOf, messagesOf, nextStepOf, toError } from '../../core/errors.js';
import { outsideText } from '../../core/outside-text.js';
import type { Check, Look, Means } from './check.js';
import {
  createFinding,
  type Evidence,
  type Finding,
  type FindingChanges,
  type FindingKind,
  SEVERITIES,
} from './finding.js';

/** The finding about a part that no check could look at: silence would look like health. */
export const NOT_CHECKED = {
  'not-checked': {
    severity: 'warning',
    meaning: 'This part could not be looked at, so nothing is known of it.',
    next: 'see the reason; mend it (another finding may name it) and run `ccv-indexer doctor --only {check}`',
  },
} as const satisfies Readonly<Record<string, FindingKind>>;

/** Characters of a reason. */
const MOST_REASON = 500;

/** One check after its end. */
export interface ExaminedCheck {
  readonly name: string;
  readonly elapsedMs: number;
  /** It looked at everything that it is about. */
  readonly isWhole: boolean;
}

/** The outcome of an examination; findings are ordered by severity, the worst first, then as the checks are. */
export interface Examination {
  readonly checks: readonly ExaminedCheck[];
  readonly findings: readonly Finding[];
}

/** How an examination is run. */
export interface ExamineOptions extends Means {
  /** The longest that one check may take, ms; 0 = no limit. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
  /** Told the names of the checks that are under way, whenever one ends. */
  readonly onProgress?: (waiting: readonly string[]) => void;
}

/**
 * Runs checks side by side. None holds up another: one that fails or comes to no end is a finding itself.
 * @throws AbortedError when `signal` aborts.
 */
export async function examine(checks: readonly Check[], options: ExamineOptions): Promise<Examination> {
  const waiting = new Set(checks.map(({ name }) => name));
  const tell = () => options.onProgress?.([...waiting]);
  tell();
  const stops = new Set<() => void>();
  const stopAll = () => stops.forEach((stop) => stop());
  options.signal.addEventListener('abort', stopAll, { once: true });
  const examined = await Promise.all(
    checks.map(async (check) => {
      const result = await examineOne(check, options, stops);
      waiting.delete(check.name);
      tell();
      return result;
    }),
  );
  options.signal.removeEventListener('abort', stopAll);
  if (options.signal.aborted) throw new AbortedError('the examination', { cause: options.signal.reason });
  const findings = examined.flatMap((each) => each.findings);
  const worst = (finding: Finding) => SEVERITIES.indexOf(finding.severity);
  return {
    checks: examined.map(({ name, elapsedMs, isWhole }) => ({ name, elapsedMs, isWhole })),
    findings: findings.sort((a, b) => worst(b) - worst(a)),
  };
}

/**
 * Runs one check, at most until its limit, or until it is stopped. Work that does not heed its end goes on unwatched,
 * and tells nothing.
 */
async function examineOne(
  check: Check,
  options: ExamineOptions,
  stops: Set<() => void>,
): Promise<ExaminedCheck & Pick<Examination, 'findings'>> {
  const { signal, limitMs, common } = options;
  const startMs = common.clock.monotonicMs();
  const ending = new AbortController();
  const ended = new Promise<void>((resolve) => ending.signal.addEventListener('abort', () => resolve()));
  const stop = () => ending.abort();
  if (signal.aborted) stop();
  stops.add(stop);
  const cancel = limitMs > 0 ? common.clock.after(limitMs, stop) : () => undefined;
  const notes = createNotes(check, options, ending.signal);
  await Promise.race([check.run(notes.look).catch((thrown: unknown) => notes.failed(check.name, thrown)), ended]);
  cancel();
  stops.delete(stop);
  const { findings, isWhole } = notes.close(limitMs);
  return { name: check.name, elapsedMs: Math.round(common.clock.monotonicMs() - startMs), isWhole, findings };
}

/** The findings of one check, as it tells them. */
function createNotes(check: Check, { config, move, warnings, common, isFull }: Means, signal: AbortSignal) {
  const findings: Finding[] = [];
  const underWay = new Set<string>();
  let isOver = false;
  let isWhole = true;

  function add(
    id: string,
    kind: FindingKind | undefined,
    subject: string,
    evidence: Evidence,
    changes: FindingChanges = {},
  ): void {
    if (!kind) throw new TypeError(`check ${check.name} knows no finding ${id}`);
    if (!isOver) findings.push(createFinding({ id, check: check.name, subject, evidence }, kind, changes));
  }

  function notChecked(subject: string, evidence: Evidence, next: string | null = null): void {
    isWhole = false;
    const changes = next === null ? {} : { next };
    add('not-checked', NOT_CHECKED['not-checked'], subject, { ...evidence, check: check.name }, changes);
  }

  /** What fails after the end fails because of it. */
  function failed(subject: string, thrown: unknown): void {
    if (signal.aborted) return;
    const error = toError(thrown);
    const reason = outsideText(messagesOf(error).join(': '), MOST_REASON);
    notChecked(subject, { reason, code: codeOf(thrown) }, nextStepOf(error));
  }

  const look: Look = {
    ...{ config, move, warnings, common, isFull, signal },
    found: (id, subject, evidence = {}, changes = {}) => add(id, check.kinds[id], subject, evidence, changes),
    async each(items, nameOf, lookAt) {
      const lookAtOne = async (item: (typeof items)[number]) => {
        const subject = nameOf(item);
        underWay.add(subject);
        await lookAt(item).catch((thrown: unknown) => failed(subject, thrown));
        // a part that the limit has ended stays: `close` tells of it
        if (!signal.aborted) underWay.delete(subject);
      };
      await Promise.all(items.map(lookAtOne));
    },
  };

  return {
    look,
    failed,
    close(limitMs: number) {
      if (signal.aborted)
        for (const subject of underWay.size > 0 ? underWay : [check.name])
          notChecked(subject, { reason: `no end within ${limitMs} ms`, limitMs });
      isOver = true;
      return { findings, isWhole };
    },
  };
}
