import { assertNever } from '../core/errors.js';
import type { SignatureCheck, SignatureMode } from './signature-check.js';
import { VerifierResultRejectedError } from './verifier-errors.js';
import type { VerifierReader } from './verifier-reader.js';

/**
 * A reader whose results have their signatures judged: each comes with its verdict, and under `require` one whose
 * signatures do not hold is rejected like every result that fails a check. One that cannot be judged now is an error
 * that passes (`CommitteeUnreadableError`).
 */
export function createJudgedReader(reader: VerifierReader, mode: SignatureMode, check: SignatureCheck): VerifierReader {
  const { name, issuerAddresses } = reader;
  return {
    name,
    issuerAddresses,
    async read(messageId, signal) {
      const result = await reader.read(messageId, signal);
      if (result === null) return null;
      const judged = await check.check(result, mode, signal);
      switch (judged.kind) {
        case 'taken':
          return judged.result;
        case 'refused': {
          const { reason, detail } = judged;
          throw new VerifierResultRejectedError({ verifier: name, reason, messageId, detail, raw: result.ccvData });
        }
        case 'unjudged':
          throw judged.error;
        default:
          return assertNever(judged, 'judged result');
      }
    },
    onStray: (listener) => reader.onStray(listener),
    status: () => reader.status(),
    close: () => reader.close(),
  };
}
