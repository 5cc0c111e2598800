import { toError } from '../../core/errors.js';

/** An error of following, and its side: a leader that cannot be read is no failure of the follower. */
export interface Failure {
  readonly of: 'leader' | 'follower';
  readonly error: Error;
}

/** Carries a `Failure` up to the account of failures; never leaves the follower. */
export class SideError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.error.message, { cause: failure.error });
    this.failure = failure;
  }
}

/** A rejection handler that throws the error as one of a side; an error that has a side keeps it. */
export function ofSide(side: Failure['of']): (thrown: unknown) => never {
  return (thrown) => {
    throw thrown instanceof SideError ? thrown : new SideError({ of: side, error: toError(thrown) });
  };
}

/** The failure that `thrown` carries; the follower's when it has no side. */
export function failureOf(thrown: unknown): Failure {
  return thrown instanceof SideError ? thrown.failure : { of: 'follower', error: toError(thrown) };
}
