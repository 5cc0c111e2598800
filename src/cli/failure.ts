import { ConfigError } from '../config/problems.js';
import { IndexerError, messagesOf, nextStepOf, toError } from '../core/errors.js';
import { secrets } from '../core/masker.js';

/** Lines about a failed command: message, causes, next step, and the code to search for. No secrets. */
export function describeFailure(thrown: unknown): string {
  return secrets.text(described(thrown));
}

function described(thrown: unknown): string {
  if (thrown instanceof ConfigError) return thrown.message;
  const error = toError(thrown);
  const [message = '', ...causes] = messagesOf(error);
  const lines = [`error: ${message}`, ...causes.map((cause) => `  because: ${cause}`)];
  const nextStep = nextStepOf(error);
  if (nextStep !== null) lines.push(`  what to do: ${nextStep}`);
  if (error instanceof IndexerError)
    lines.push(`  (${error.code}${error.retryable ? ', may work when tried again' : ''})`);
  else if (error.stack) lines.push(error.stack);
  return lines.join('\n');
}
