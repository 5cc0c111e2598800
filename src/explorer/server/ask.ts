/** An answer that is no 200, or none at all (status 0). */
export class AnswerError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'AnswerError';
    this.status = status;
  }
}

/** Parameters of a request; those that are empty or undefined are left out. */
export type Parameters = Readonly<Record<string, string | undefined>>;

/** A path below the page, with its parameters. */
export function pathOf(path: string, parameters: Parameters = {}): string {
  const given = Object.entries(parameters).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

/**
 * Asks this server, below the page's own folder. Integers beyond 53 bits come as strings of their digits.
 * @throws AnswerError
 */
export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { headers: { accept: 'application/json' }, ...(signal && { signal }) });
  } catch (thrown) {
    if (signal?.aborted) throw thrown;
    throw new AnswerError(0, 'the indexer does not answer');
  }
  const text = await answer.text();
  if (answer.ok) return JSON.parse(withExactIntegers(text)) as T;
  throw new AnswerError(answer.status, reasonIn(text) ?? `${answer.status} ${answer.statusText}`);
}

/** Puts integers of 16 digits and more into quotes: `JSON.parse` would round them. */
function withExactIntegers(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|-?\d{16,}/g, (found) => (found.startsWith('"') ? found : `"${found}"`));
}

function reasonIn(text: string): string | null {
  try {
    const { detail, message } = JSON.parse(text) as { readonly detail?: string; readonly message?: string };
    return detail ?? message ?? null;
  } catch {
    return null;
  }
}
