import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../eventually.js';
import { get, type HttpAnswer } from './http.js';

/** One question of a kind: a path of the query API; null when there is nothing to ask yet. */
export type Question = () => string | null;

/** An answer, and the question. */
export interface Asking extends HttpAnswer {
  readonly kind: string;
  readonly path: string;
  /** Of the stage that was on when it was asked; see `OutageClients.stage`. */
  readonly stage: string;
  readonly elapsedMs: number;
}

/** Clients that go on asking a query API, one for each kind of question, and keep every answer. */
export interface OutageClients {
  readonly answers: readonly Asking[];
  /** What is asked from now on belongs to this stage. */
  stage(name: string): void;
  /** Asks nothing until it is called with a URL again; resolves when nothing is under way. */
  ask(apiUrl: string | null): Promise<void>;
  /** Resolves when each of these kinds was answered so often in the present stage, with this status. */
  untilAnswered(kinds: readonly string[], status: number, times: number): Promise<void>;
  /** How many of each status, by kind; what was asked in one stage and answered in another is left out. */
  tally(stage: string): Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** The slowest answer of each kind, in ms, rounded. */
  slowest(stage: string): Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

/** A client's pace, not a wait for something. */
const PAUSE_MS = 100;

export function startOutageClients(questions: Readonly<Record<string, Question>>): OutageClients {
  const answers: Asking[] = [];
  let stage = '';
  let url: string | null = null;
  let stopping = false;
  const underWay = new Set<Promise<unknown>>();

  async function askOnce(kind: string, question: Question): Promise<void> {
    const path = question();
    if (url === null || path === null) return;
    const [asked, startedMs] = [stage, performance.now()];
    const answer = await get(`${url}${path}`);
    if (asked === stage) answers.push({ ...answer, kind, path, stage, elapsedMs: performance.now() - startedMs });
  }

  const loops = Object.entries(questions).map(async ([kind, question]) => {
    while (!stopping) {
      const asking = askOnce(kind, question);
      underWay.add(asking);
      await asking.finally(() => underWay.delete(asking));
      await delay(PAUSE_MS);
    }
  });
  // told by `stop`, and by whatever else the test waits for
  const ended = Promise.all(loops);
  ended.catch(() => undefined);

  const of = (name: string) => answers.filter((answer) => answer.stage === name);
  return {
    answers,
    stage: (name) => {
      stage = name;
    },
    ask: async (apiUrl) => {
      url = apiUrl;
      if (apiUrl === null) await Promise.all(underWay);
    },
    untilAnswered: async (kinds, status, times) => {
      await eventually(`${stage}: ${times} answers of each kind with ${status}`, () => {
        const given = of(stage).filter((answer) => answer.status === status);
        const counts = kinds.map((kind) => given.filter((answer) => answer.kind === kind).length);
        return counts.every((count) => count >= times) || counts;
      });
    },
    tally: (name) =>
      Object.fromEntries(
        Object.keys(questions).map((kind) => {
          const counts: Record<string, number> = {};
          for (const { status } of of(name).filter((answer) => answer.kind === kind))
            counts[status] = (counts[status] ?? 0) + 1;
          return [kind, counts];
        }),
      ),
    slowest: (name) =>
      Object.fromEntries(
        Object.keys(questions).map((kind) => {
          const took = of(name).filter((answer) => answer.kind === kind);
          return [kind, Math.round(Math.max(0, ...took.map(({ elapsedMs }) => elapsedMs)))];
        }),
      ),
    async stop() {
      stopping = true;
      await ended;
    },
  };
}
