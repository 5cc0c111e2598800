import { createInterface, type Interface } from 'node:readline/promises';

/** Asks a person whether a repair may run. */
export interface Agreement {
  agree(title: string): Promise<boolean>;
  /** Idempotent. */
  close(): void;
}

/**
 * The agreement of the person at the terminal, question by question; without a terminal nothing is agreed to.
 * `isAgreed`: everything is, unasked.
 */
export function createAgreement({
  isAgreed,
  input = process.stdin,
  output = process.stderr,
}: {
  readonly isAgreed: boolean;
  readonly input?: NodeJS.ReadStream;
  readonly output?: NodeJS.WriteStream;
}): Agreement {
  let questions: Interface | null = null;
  return {
    async agree(title) {
      if (isAgreed) return true;
      if (!input.isTTY) return false;
      questions ??= createInterface({ input, output });
      const answer = await questions.question(`${title}? [y/N] `);
      return /^y(es)?$/i.test(answer.trim());
    },
    close: () => questions?.close(),
  };
}
