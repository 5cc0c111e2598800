import type { VerifierSection } from '../../../config/schema/schema.js';
import type { Common } from '../../../core/common.js';
import type { Hex } from '../../../core/hex.js';
import { VerifierResultRejectedError, VerifierUnavailableError } from '../../../verifiers/verifier-errors.js';
import { openVerifier } from '../../open-verifier.js';
import { defineCheck } from '../check.js';

/** No message has it: the answer of a verifier that works is that it does not know it. */
const UNKNOWN_ID: Hex = `0x${'00'.repeat(32)}`;

/** Whether every verifier answers. */
export const verifierCheck = defineCheck({
  name: 'verifiers',
  about: 'whether every verifier answers a question about an unknown message',
  kinds: {
    'verifier-unreachable': {
      severity: 'error',
      meaning: 'The verifier gives no usable answer, so the verifications of its CCVs do not arrive.',
      next: 'see its URL and the service; the workers ask again by themselves',
    },
    'verifier-refused': {
      severity: 'error',
      meaning: 'The verifier refuses our requests, and will as long as nothing is changed.',
      next: 'correct the URL, APIKey or Secret of the [[Verifier]]',
    },
  },
  async run({ config, common, signal, each, found }) {
    await each(
      config.Verifier,
      ({ Name }) => Name,
      async (section) => {
        const thrown = await failureOf(section, common, signal);
        if (thrown === null) return;
        const { kind, reason } = thrown;
        const isRefusal = kind === 'refused' || kind === 'unauthenticated';
        found(isRefusal ? 'verifier-refused' : 'verifier-unreachable', section.Name, { reason });
      },
    );
  },
});

/** The error of a question to a verifier; null when it answers, however wrongly. */
async function failureOf(
  section: VerifierSection,
  common: Common,
  signal: AbortSignal,
): Promise<VerifierUnavailableError | null> {
  const reader = await openVerifier({ ...section, MaxBatchWaitTime: 0 }, common);
  try {
    await reader.read(UNKNOWN_ID, signal);
    return null;
  } catch (thrown) {
    if (thrown instanceof VerifierUnavailableError) return thrown;
    if (thrown instanceof VerifierResultRejectedError) return null;
    throw thrown;
  } finally {
    await reader.close();
  }
}
