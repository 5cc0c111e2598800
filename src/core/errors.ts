/** What every error of this package can be asked: facts for logs and callers, never credentials. */
export interface IndexerErrorOptions {
  readonly cause?: unknown;
  /** Structured facts. Values must survive `JSON.stringify` (bigints as strings). */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * The base of every error this package throws. `code` is stable and machine readable, `retryable` says whether the same
 * call can succeed later without anyone changing anything.
 */
export class IndexerError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, retryable: boolean, options: IndexerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = retryable;
    this.details = options.details ?? {};
  }
}

/** A caller passed something that can never work: the message says what, where, and what to pass instead. */
export class InvalidArgumentError extends IndexerError {
  constructor(message: string, options?: IndexerErrorOptions) {
    super('INVALID_ARGUMENT', message, false, options);
  }
}

/** The component was closed before or while it was asked. */
export class ClosedError extends IndexerError {
  constructor(what: string) {
    super('CLOSED', `${what} is closed`, false);
  }
}

/** Work was cancelled through an AbortSignal. */
export class AbortedError extends IndexerError {
  constructor(what: string, options?: IndexerErrorOptions) {
    super('ABORTED', `${what} was aborted`, false, options);
  }
}

/** Ends a switch over a union; TypeScript rejects the call while a variant is unhandled, and it throws at run time. */
export function assertNever(value: never, what: string): never {
  throw new IndexerError('UNKNOWN_VARIANT', `unknown ${what}: ${JSON.stringify(value)}`, false);
}

/** Any thrown value as an Error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
