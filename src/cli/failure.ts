import { ConfigError } from '../config/problems.js';
import { IndexerError, toError } from '../core/errors.js';

/** What a person is told when a command fails: the message, what caused it, and the code to search for. */
export function describeFailure(thrown: unknown): string {
  if (thrown instanceof ConfigError) return thrown.message;
  const error = toError(thrown);
  const lines = [`error: ${error.message}`];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) lines.push(`  because: ${cause.message}`);
  if (error instanceof IndexerError)
    lines.push(`  (${error.code}${error.retryable ? ', may work when tried again' : ''})`);
  else if (error.stack) lines.push(error.stack);
  return lines.join('\n');
}
