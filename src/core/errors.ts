import { secrets } from './masker.js';

/** Facts of every error of this package, for logs and callers; never credentials. */
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
    super(secrets.text(message), options.cause === undefined ? undefined : { cause: masked(options.cause) });
    this.name = new.target.name;
    this.code = code;
    this.retryable = retryable;
    this.details = secrets.value(options.details ?? {});
  }
}

/** The errors of drivers and clients repeat requests and answers: masked in place. */
function masked(cause: unknown): unknown {
  if (typeof cause === 'string') return secrets.text(cause);
  for (let each: unknown = cause; each instanceof Error && !(each instanceof IndexerError); each = each.cause) {
    rewordError(each, (text) => secrets.text(text));
    if (each.stack !== undefined && each.stack !== secrets.text(each.stack))
      Reflect.set(each, 'stack', secrets.text(each.stack));
    if (each instanceof AggregateError) for (const inner of each.errors) masked(inner);
  }
  return cause;
}

/** Changes the text of another library's error, in its stack as well. */
export function rewordError(error: Error, reword: (text: string) => string): void {
  const { message } = error;
  const said = reword(message);
  if (said === message) return;
  // a stack becomes a text when it is asked for, which takes longer than all else
  const { stack } = error;
  // some are frozen, or have their message from a getter
  Reflect.set(error, 'message', said);
  if (stack !== undefined)
    Reflect.set(
      error,
      'stack',
      stack.replace(message, () => said),
    );
}

/** A caller passed something that can never work: the message names it, its place, and the value to pass instead. */
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

/** The error's stable code for metrics and logs. */
export function codeOf(thrown: unknown): string {
  return thrown instanceof IndexerError ? thrown.code : 'UNKNOWN';
}

/** Ends a switch over a union; TypeScript rejects the call while a variant is unhandled, and it throws at run time. */
export function assertNever(value: never, what: string): never {
  throw new IndexerError('UNKNOWN_VARIANT', `unknown ${what}: ${JSON.stringify(value)}`, false);
}

/** Any thrown value as an Error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** The messages of an error and of its causes, in that order; none twice in a row. */
export function messagesOf(error: Error): string[] {
  return (
    causesOf(error)
      // the client for S3 says so where a server sent no words of its own: its name says more
      .map(({ name, message }) => (message === 'UnknownError' ? name : message))
      .filter((message, index, all) => message !== '' && message !== all[index - 1])
  );
}

/** An error, its cause, the cause of that, and so on. */
function causesOf(error: Error): Error[] {
  const chain: Error[] = [];
  for (let each: unknown = error; each instanceof Error && !chain.includes(each); each = each.cause) chain.push(each);
  return chain;
}

/** The next step that the first error in the chain of causes gives an operator; null when none does. */
export function nextStepOf(error: Error): string | null {
  for (const each of causesOf(error)) {
    const nextStep = each instanceof IndexerError ? each.details['nextStep'] : undefined;
    if (typeof nextStep === 'string') return nextStep;
  }
  return null;
}
