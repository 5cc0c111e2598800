import { rewordError } from '../../../../core/errors.js';
import { outsideText } from '../../../../core/outside-text.js';
import type { RequestResult } from '../object-store-metrics.js';

/**
 * The meaning of a failed S3 request. `precondition` (412) and `conflict` (409) concern conditional writes;
 * `not_found` and `range` are answers; the last two cannot be helped by asking again.
 */
export type S3FailureKind = Exclude<RequestResult, 'ok' | 'exists'> | 'range' | 'precondition';

/** A failed attempt, classified. Internal to the S3 store: callers see the errors of object-store-errors.ts. */
export class S3RequestFailure extends Error {
  readonly kind: S3FailureKind;
  /** Facts for the log: S3's name for the error, HTTP status, request id. */
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(kind: S3FailureKind, facts: Readonly<Record<string, unknown>>, cause?: unknown) {
    super(`S3 request failed: ${kind}`, { cause });
    this.name = 'S3RequestFailure';
    this.kind = kind;
    this.facts = facts;
  }
}

/** An answer that contradicts the request or itself. */
export function wrongAnswer(reason: string, facts: Readonly<Record<string, unknown>> = {}): S3RequestFailure {
  return new S3RequestFailure('wrong_answer', { reason, ...facts });
}

// names of S3's error codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
const KIND_OF_NAME: ReadonlyMap<string, S3FailureKind> = new Map<string, S3FailureKind>([
  ['NoSuchKey', 'not_found'],
  ['InvalidRange', 'range'],
  ['PreconditionFailed', 'precondition'],
  ['ConditionalRequestConflict', 'conflict'],
  ['OperationAborted', 'conflict'],
  ['SlowDown', 'throttled'],
  ['ServiceUnavailable', 'throttled'],
  ['RequestLimitExceeded', 'throttled'],
  ['Throttling', 'throttled'],
  ['ThrottlingException', 'throttled'],
  ['TooManyRequests', 'throttled'],
  ['InternalError', 'server_error'],
  ['RequestTimeout', 'timeout'],
  // the client corrects its clock, or fetches new credentials, for the next attempt
  ['RequestTimeTooSkewed', 'credentials'],
  ['ExpiredToken', 'credentials'],
  ['ExpiredTokenException', 'credentials'],
  ['CredentialsProviderError', 'credentials'],
  // the bytes changed on their way
  ['BadDigest', 'wrong_answer'],
  ['XAmzContentChecksumMismatch', 'wrong_answer'],
  ['IncompleteBody', 'wrong_answer'],
  // the SDK's own name for timeouts of sockets
  ['TimeoutError', 'timeout'],
]);

/** The kind of an error code of S3, as it stands in errors and in the answers of DeleteObjects. */
export function kindOfS3Code(code: string): S3FailureKind | undefined {
  return KIND_OF_NAME.get(code);
}

/** Classifies anything that the S3 client throws, by name, HTTP status and system error code. */
export function classifyS3Failure(thrown: unknown): S3RequestFailure {
  if (thrown instanceof S3RequestFailure) return thrown;
  const name = textOf(thrown, 'name');
  const code = textOf(thrown, 'code');
  const metadata = propertyOf(thrown, '$metadata');
  const status = propertyOf(metadata, 'httpStatusCode');
  // a server may say anything, at any length, and repeat the request
  if (thrown instanceof Error) rewordError(thrown, outsideText);
  const said = textOf(thrown, 'message') ?? '';
  const facts = {
    name,
    ...(code === undefined ? {} : { code }),
    ...(typeof status === 'number' ? { status, requestId: propertyOf(metadata, 'requestId') } : {}),
    ...(said === '' || said === 'UnknownError' ? {} : { said }),
  };
  return new S3RequestFailure(kindOf(name, code, typeof status === 'number' ? status : undefined), facts, thrown);
}

/**
 * The server is there, but speaks no TLS, or shows a certificate that this process does not trust:
 * https://nodejs.org/api/tls.html
 */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'EPROTO',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_UNTRUSTED',
  'CERT_REVOKED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Not implemented, or not in this version of HTTP: the same request will never be understood. */
const NEVER: ReadonlySet<number> = new Set([501, 505]);

function kindOf(name: string | undefined, code: string | undefined, status: number | undefined): S3FailureKind {
  const named = name === undefined ? undefined : KIND_OF_NAME.get(name);
  if (named) return named;
  if (status === undefined) return code === undefined || UNTRUSTED.has(code) ? 'refused' : 'connection';
  if (status < 300) return 'wrong_answer';
  if (NEVER.has(status)) return 'refused';
  if (status >= 500) return status === 503 ? 'throttled' : 'server_error';
  if (status === 412) return 'precondition';
  if (status === 416) return 'range';
  if (status === 429) return 'throttled';
  if (status === 408) return 'timeout';
  // the answer to HEAD has no body and so no code; every other 404 without `NoSuchKey` is about the bucket
  if (status === 404 && name === 'NotFound') return 'not_found';
  return 'refused';
}

/** A failure in a few words: its kind, the server's name for it, the HTTP status and the server's words. */
export function describeS3Failure({ kind, facts }: S3RequestFailure): string {
  const { name, code, status, reason, said } = facts;
  const named = [code ?? name, status === undefined ? undefined : `HTTP ${status}`, reason, said];
  const words = named.filter((each) => typeof each === 'string' && each !== '');
  return words.length === 0 ? kind : `${kind} (${words.join(', ')})`;
}

/** Whether the same request may be sent again after such a failure. */
export function judgeS3Failure(failure: unknown): 'give-up' | 'retry' | 'retry-throttled' {
  if (!(failure instanceof S3RequestFailure)) return 'give-up';
  switch (failure.kind) {
    case 'throttled':
      return 'retry-throttled';
    case 'conflict':
    case 'server_error':
    case 'connection':
    case 'timeout':
    case 'wrong_answer':
    case 'credentials':
      return 'retry';
    case 'not_found':
    case 'range':
    case 'precondition':
    case 'refused':
    case 'aborted':
      return 'give-up';
  }
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

function textOf(value: unknown, name: string): string | undefined {
  const property = propertyOf(value, name);
  return typeof property === 'string' ? property : undefined;
}
