import { createInterface } from 'node:readline/promises';
import { AbortedError, IndexerError } from '../../core/errors.js';

/** Where a person is asked. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
}

/**
 * Requires the name of a namespace once more: as given with the command, else typed on a terminal.
 * @throws IndexerError NOT_CONFIRMED; AbortedError after a signal.
 */
export async function requireName(
  name: string,
  given: string | undefined,
  signal: AbortSignal,
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Promise<void> {
  const typed = given ?? (terminal.input.isTTY ? await ask(name, signal, terminal) : undefined);
  if (typed === name) return;
  throw new IndexerError(
    'NOT_CONFIRMED',
    typed === undefined
      ? `nothing was deleted: there is no terminal to ask for the name again, add --confirm ${name}`
      : `nothing was deleted: ${JSON.stringify(typed)} is not ${name}`,
    false,
  );
}

async function ask(name: string, signal: AbortSignal, { input, output }: Terminal): Promise<string> {
  const lines = createInterface({ input, output });
  try {
    const end = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
    return (await Promise.race([lines.question(`type ${name} to delete it: `, { signal }), end])).trim();
  } catch (thrown) {
    if (signal.aborted) throw new AbortedError('the question', { cause: thrown });
    throw thrown;
  } finally {
    lines.close();
  }
}
