import { figure, formatColumns } from '../../bench/table.js';

/** Answers that are none. */
export type Failure = '503' | 'refused' | 'broken' | 'late';

interface Stage {
  readonly name: string;
  readonly beganMs: number;
  endedMs: number;
  answers: number;
  readonly failures: Map<Failure, number>;
  readonly kills: string[];
  written: number;
  spellMs: number;
  wrongs: number;
}

const HEAD = ['phase', 's', 'kills', 'writes/s', 'queries/s', 'errors', 'longest spell, s', 'wrong'] as const;
const MOST_TOLD = 20;

/** What happened in each phase of a move, counted. */
export class Figures {
  readonly #stages: Stage[] = [];
  readonly #told: string[] = [];
  readonly #tell: (wrong: string) => void;
  #lastAnswerMs = performance.now();
  readonly #watches = new Set<{ failures: number; spellMs: number }>();

  /** @param tell told of the first wrong answers as they come. */
  constructor(tell: (wrong: string) => void = () => undefined) {
    this.#tell = tell;
  }

  /** What is counted from now on belongs to this phase. @param written records that were shown so far. */
  begin(name: string, written: number): void {
    this.end(written);
    const beganMs = performance.now();
    this.#stages.push({
      ...{ name, beganMs, endedMs: beganMs, answers: 0, failures: new Map(), kills: [] },
      ...{ written: -written, spellMs: 0, wrongs: 0 },
    });
  }

  end(written: number): void {
    const stage = this.#stages.at(-1);
    if (!stage) return;
    stage.written += written;
    stage.endedMs = performance.now();
  }

  answered(): void {
    const nowMs = performance.now();
    const { stage } = this;
    stage.answers += 1;
    const spellMs = nowMs - this.#lastAnswerMs;
    stage.spellMs = Math.max(stage.spellMs, spellMs);
    for (const watch of this.#watches) watch.spellMs = Math.max(watch.spellMs, spellMs);
    this.#lastAnswerMs = nowMs;
  }

  failed(how: Failure): void {
    const { failures } = this.stage;
    failures.set(how, (failures.get(how) ?? 0) + 1);
    for (const watch of this.#watches) watch.failures += 1;
  }

  wrong(what: string): void {
    this.stage.wrongs += 1;
    if (this.#told.length >= MOST_TOLD) return;
    this.#told.push(`${this.stage.name}: ${what}`);
    this.#tell(`${this.stage.name}: ${what}`);
  }

  /** Counts beside the phases. @returns ends that, and tells what it saw. */
  watch(): () => string {
    const seen = { failures: 0, spellMs: 0 };
    this.#watches.add(seen);
    return () => {
      this.#watches.delete(seen);
      return `${figure(seen.failures)} errors, ${(seen.spellMs / 1_000).toFixed(1)} s without an answer`;
    };
  }

  killed(who: string): void {
    this.stage.kills.push(who);
  }

  /** The first wrong answers. */
  get wrongs(): readonly string[] {
    return this.#told;
  }

  get stage(): Stage {
    const stage = this.#stages.at(-1);
    if (!stage) throw new Error('no phase has begun');
    return stage;
  }

  table(): string {
    return formatColumns(
      HEAD,
      ['phase', 'kills', 'errors'],
      this.#stages.map((stage) => {
        const seconds = (stage.endedMs - stage.beganMs) / 1_000;
        return [
          stage.name,
          seconds.toFixed(0),
          countOf(stage.kills),
          figure(stage.written / seconds),
          figure(stage.answers / seconds),
          [...stage.failures].map(([how, count]) => `${count} ${how}`).join(', ') || '-',
          (stage.spellMs / 1_000).toFixed(1),
          String(stage.wrongs),
        ];
      }),
    );
  }
}

function countOf(kills: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const who of kills) counts.set(who, (counts.get(who) ?? 0) + 1);
  return [...counts].map(([who, count]) => (count === 1 ? who : `${count} ${who}`)).join(', ') || '-';
}
