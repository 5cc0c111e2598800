import { toError } from '../../core/errors.js';

/** An error while following and whose it was: a leader that cannot be read is not the follower's failure. */
export interface Failure {
  readonly of: 'leader' | 'follower';
  readonly error: Error;
}

/** Carries a `Failure` up to the account of failures; never leaves the follower. */
export class BlamedError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.error.message, { cause: failure.error });
    this.failure = failure;
  }
}

/** A rejection handler that passes an error on together with whose it was; a blamed error stays so. */
export function blame(of: Failure['of']): (thrown: unknown) => never {
  return (thrown) => {
    throw thrown instanceof BlamedError ? thrown : new BlamedError({ of, error: toError(thrown) });
  };
}

/** Whose error `thrown` is; the follower's when none was blamed. */
export function failureOf(thrown: unknown): Failure {
  return thrown instanceof BlamedError ? thrown.failure : { of: 'follower', error: toError(thrown) };
}
