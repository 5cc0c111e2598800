import { z } from 'zod';
import type { ShadowOutcome } from '../../migration/shadow/figures.js';
import type { MoveProcess } from '../../storage/move-store.js';
import { formatCount } from '../amounts.js';

const times = z.object({ answers: z.number(), meanMs: z.number(), mostMs: z.number() });
const figures = z.object({
  outcomes: z.object({
    same: z.number(),
    different: z.number(),
    overtaken: z.number(),
    behind: z.number(),
    failed: z.number(),
    dropped: z.number(),
  } satisfies Record<ShadowOutcome, unknown>),
  live: times,
  shadow: times,
  differences: z.array(z.object({ operation: z.string(), query: z.string(), askedMs: z.number() }).loose()),
  lastError: z.string().nullable(),
});
type Figures = z.output<typeof figures>;

/** The shadow reads of all processes. */
export interface ShadowStatus {
  /** The share of live questions that are asked of the new database too. */
  readonly share: number;
  readonly outcomes: Readonly<Record<ShadowOutcome, number>>;
  /** Times of answers, ms. */
  readonly live: Figures['live'];
  readonly shadow: Figures['shadow'];
  /** The last differences of each process. */
  readonly differences: Figures['differences'];
  readonly errors: readonly string[];
}

const NONE: Figures['live'] = { answers: 0, meanMs: 0, mostMs: 0 };

/** Adds up the figures that processes have stored; a document of another version is left out. */
export function shadowStatus(share: number, processes: readonly MoveProcess[]): ShadowStatus {
  const all = processes.flatMap(({ figures: text }) => {
    const parsed = text === null ? null : figures.safeParse(JSON.parse(text));
    return parsed?.success ? [parsed.data] : [];
  });
  const outcomes = { same: 0, different: 0, overtaken: 0, behind: 0, failed: 0, dropped: 0 };
  for (const each of all)
    for (const outcome of Object.keys(outcomes) as ShadowOutcome[]) outcomes[outcome] += each.outcomes[outcome];
  return {
    ...{ share, outcomes },
    live: all.map(({ live }) => live).reduce(together, NONE),
    shadow: all.map(({ shadow }) => shadow).reduce(together, NONE),
    differences: all.flatMap(({ differences }) => differences),
    errors: all.flatMap(({ lastError }) => lastError ?? []),
  };
}

function together(a: Figures['live'], b: Figures['live']): Figures['live'] {
  const answers = a.answers + b.answers;
  const meanMs = answers === 0 ? 0 : (a.meanMs * a.answers + b.meanMs * b.answers) / answers;
  return { answers, meanMs, mostMs: Math.max(a.mostMs, b.mostMs) };
}

/** The shadow reads for people. */
export function shadowLines({ share, outcomes, live, shadow, differences, errors }: ShadowStatus): readonly string[] {
  const counts = Object.entries(outcomes).map(([outcome, count]) => `${formatCount(count)} ${outcome}`);
  return [
    `shadow reads: ${share * 100} of 100 questions; ${counts.join(', ')}`,
    `  old: ${live.meanMs.toFixed(1)} ms, at most ${live.mostMs.toFixed(0)} ms; ` +
      `new: ${shadow.meanMs.toFixed(1)} ms, at most ${shadow.mostMs.toFixed(0)} ms`,
    ...differences.map(({ operation, query }) => `  different: ${operation} ${query}`),
    ...errors.map((error) => `  failed: ${error}`),
  ];
}
