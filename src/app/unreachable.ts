import { IndexerError, messagesOf, nextStepOf, toError } from '../core/errors.js';

/** Why a backend could not be looked at. */
export interface Unreachable {
  readonly code: string;
  readonly message: string;
}

/** The message with its causes, and the next step where it is known. */
export function whyUnreachable(thrown: unknown): Unreachable {
  const error = toError(thrown);
  const nextStep = nextStepOf(error);
  const messages = [...messagesOf(error), ...(nextStep === null ? [] : [nextStep])];
  return { code: error instanceof IndexerError ? error.code : error.name, message: messages.join(': ') };
}
