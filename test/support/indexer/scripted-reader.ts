import { AbortedError } from '../../../src/core/errors.js';
import type { Hex } from '../../../src/core/hex.js';
import type { VerifierResult } from '../../../src/protocol/records.js';
import type { VerifierResultRejectedError } from '../../../src/verifiers/verifier-errors.js';
import type { VerifierReader } from '../../../src/verifiers/verifier-reader.js';

/** What a scripted reader does when asked: a value to give, an error to throw, or never an answer. */
export type Script = VerifierResult | null | Error | 'hang';

/** A reader without a service behind it, for faults and timing that no service shows on demand. */
export interface ScriptedReader extends VerifierReader {
  /** Ids asked for, with the clock's monotonic time. */
  readonly asked: { readonly messageId: Hex; readonly atMs: number }[];
  readonly aborted: Hex[];
  /** Most questions that were open at once. */
  readonly peak: number;
  answer: (messageId: Hex) => Script;
  stray(rejected: VerifierResultRejectedError): void;
}

export function createScriptedReader(options: {
  readonly name: string;
  readonly issuerAddresses: readonly Hex[];
  readonly nowMs?: () => number;
  readonly answer?: (messageId: Hex) => Script;
}): ScriptedReader {
  const listeners = new Set<(rejected: VerifierResultRejectedError) => void>();
  const asked: { messageId: Hex; atMs: number }[] = [];
  const aborted: Hex[] = [];
  let open = 0;
  let peak = 0;
  return {
    name: options.name,
    issuerAddresses: options.issuerAddresses,
    asked,
    aborted,
    get peak() {
      return peak;
    },
    answer: options.answer ?? (() => null),
    async read(messageId, signal) {
      asked.push({ messageId, atMs: options.nowMs?.() ?? 0 });
      peak = Math.max(peak, ++open);
      try {
        const script = this.answer(messageId);
        if (script === 'hang')
          return await new Promise<never>((_, reject) => {
            const onAbort = () => {
              aborted.push(messageId);
              reject(new AbortedError('read'));
            };
            if (signal?.aborted) onAbort();
            else signal?.addEventListener('abort', onAbort, { once: true });
          });
        await Promise.resolve();
        if (script instanceof Error) throw script;
        return script;
      } finally {
        open--;
      }
    },
    onStray(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stray(rejected) {
      for (const listener of listeners) listener(rejected);
    },
    status: () => ({
      circuit: 'closed',
      lastSuccessMs: null,
      lastError: null,
      lastErrorMs: null,
      lastErrorStatus: null,
      failuresInARow: 0,
    }),
    close: async () => undefined,
  };
}
