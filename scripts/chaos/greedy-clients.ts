import { Pool } from 'undici';

/** Answers that greedy clients got. */
export interface Greed {
  /** Whole answers, by status. */
  readonly answers: ReadonlyMap<number, number>;
  /** Answers that broke off. */
  readonly broken: number;
  /** 200s that were whole HTTP answers and no whole JSON: must be 0. */
  readonly torn: number;
  readonly bytes: number;
}

const QUESTIONS = ['/v1/messages?limit=1000', '/v1/verifierresults?limit=1000', '/v1/messages?limit=1000&start=0'];

/** Lets `count` clients ask for the largest pages, each again as soon as it has one, until `signal` aborts. */
export async function beGreedy(url: string, count: number, signal: AbortSignal): Promise<Greed> {
  const pool = new Pool(url, { connections: count, headersTimeout: 0, bodyTimeout: 0 });
  const answers = new Map<number, number>();
  let broken = 0;
  let torn = 0;
  let bytes = 0;
  const ask = async (client: number): Promise<void> => {
    for (let turn = client; !signal.aborted; turn += 1) {
      try {
        const path = QUESTIONS[turn % QUESTIONS.length] as string;
        const response = await pool.request({ method: 'GET', path, signal });
        let last = '';
        for await (const chunk of response.body as AsyncIterable<Buffer>) {
          bytes += chunk.length;
          last = chunk.subarray(-1).toString();
        }
        if (response.statusCode === 200 && last !== '}') torn += 1;
        answers.set(response.statusCode, (answers.get(response.statusCode) ?? 0) + 1);
      } catch {
        if (!signal.aborted) broken += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: count }, (_, client) => ask(client)));
  await pool.destroy();
  return { answers, broken, torn, bytes };
}
