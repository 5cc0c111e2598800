import { IndexerError, toError } from '../core/errors.js';
import {
  ObjectDeleteError,
  ObjectStoreError,
  ObjectStoreUnavailableError,
} from '../storage/cold/object-store/object-store-errors.js';
import type { BucketFault } from '../storage/cold/object-store/s3/bucket-check.js';

/** Another setting with which a bucket works. */
export interface Alternative {
  /** As it is written in the configuration: `ChecksumMode = "when_required"`. */
  readonly setting: string;
  /** Rejects when the bucket does not work with it either. */
  works(): Promise<void>;
}

const CONDITIONAL =
  'use a server that honours If-None-Match on PutObject (AWS S3, MinIO, Ceph from Reef on): without it two writers ' +
  'overwrite each other';
const LISTING =
  'use a server whose ListObjectsV2 lists all keys, in the order of their bytes and as soon as they are written ' +
  '(AWS S3, MinIO and Ceph do; directory buckets of S3 Express do not)';
const CLOCK = "set this machine's clock: the server refuses requests of another time";
const RENEW = 'renew SessionToken and its keys, or leave them out for the usual AWS chain, which renews them';
const REGION = 'correct Region (and Endpoint)';
const TRUST =
  'correct Endpoint (http or https, host name), or let this process trust its certificate: NODE_EXTRA_CA_CERTS ' +
  'names a file';

const OF_FAULT: Readonly<Record<BucketFault, string>> = {
  IfNoneMatchRefused: CONDITIONAL,
  IfNoneMatchIgnored: CONDITIONAL,
  MissingKeyRefused:
    'allow these credentials to list the bucket (s3:ListBucket) and to get its objects: without it the server ' +
    'answers 403 for an object that is not there',
  UnorderedListing: LISTING,
  StaleListing: LISTING,
  DeleteIgnored: 'use a server that deletes objects: what is replaced would stay for good',
};

/** Refusals by the name of S3 or the connection, each with the next step of an operator. */
const ADVICE: Readonly<Record<string, string>> = {
  ...OF_FAULT,
  NotAListing: 'correct Endpoint: what answers there is no S3 server, or not its S3 port',
  NoSuchBucket: 'create the bucket, or correct Bucket, Region and Endpoint',
  InvalidBucketName: 'correct Bucket',
  AccessDenied: 'allow these credentials to list the bucket and to get, put and delete its objects',
  AllAccessDisabled: 'ask the provider: all access to the bucket is disabled',
  AccountProblem: 'ask the provider: there is a problem with the account',
  QuotaExceeded: 'raise the quota of the bucket or the account',
  InvalidAccessKeyId: 'correct AccessKeyID, or leave the keys out for the usual AWS chain',
  SignatureDoesNotMatch: 'correct SecretAccessKey',
  InvalidToken: RENEW,
  ExpiredToken: RENEW,
  ExpiredTokenException: RENEW,
  CredentialsProviderError:
    'give AccessKeyID and SecretAccessKey in the secrets file, or let the usual AWS chain (environment, profile, ' +
    'web identity, instance) find credentials',
  RequestTimeTooSkewed: CLOCK,
  RequestExpired: CLOCK,
  PermanentRedirect: REGION,
  TemporaryRedirect: REGION,
  AuthorizationHeaderMalformed: REGION,
  IllegalLocationConstraintException: REGION,
  EPROTO: TRUST,
  ERR_SSL_WRONG_VERSION_NUMBER: TRUST,
  ERR_TLS_CERT_ALTNAME_INVALID: TRUST,
  CERT_HAS_EXPIRED: 'renew the certificate of the server',
  CERT_NOT_YET_VALID: CLOCK,
  CERT_UNTRUSTED: TRUST,
  DEPTH_ZERO_SELF_SIGNED_CERT: TRUST,
  SELF_SIGNED_CERT_IN_CHAIN: TRUST,
  UNABLE_TO_GET_ISSUER_CERT: TRUST,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: TRUST,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: TRUST,
};

/** Where the answer had no name: that of a HEAD, of a proxy. */
const OF_STATUS: Readonly<Record<number, string>> = {
  301: REGION,
  307: REGION,
  401: 'correct AccessKeyID and SecretAccessKey, or the proxy before the server',
  407: 'correct Endpoint, or the proxy before the server: it asks for a password',
};

/**
 * The error that ends a start, with the key to change. A store that cannot be reached keeps its own error: it may pass.
 * A refusal without a reason of its own is tried with other settings.
 */
export async function refusal(
  name: string,
  what: string,
  thrown: unknown,
  alternatives: readonly Alternative[] = [],
): Promise<Error> {
  const refused = refusedOf(thrown);
  if (refused === null) return toError(thrown);
  const { reason, status } = refused;
  const known = ADVICE[reason] ?? OF_STATUS[status];
  const advice = (await settingOf(alternatives)) ?? known ?? 'see what the server says';
  const named = reason || (status > 0 ? `status ${status}` : '');
  return new IndexerError(
    'COLD_STORE_REFUSED',
    `backend ${name} cannot ${what}${named ? ` (${named})` : ''}: ${advice}`,
    false,
    { cause: thrown, details: { backend: name, reason: named } },
  );
}

interface Refused {
  /** Empty: none was given. */
  readonly reason: string;
  /** 0: no HTTP answer. */
  readonly status: number;
}

/**
 * Null when it may pass. Credentials that were refused in every attempt are not accepted later without somebody's
 * doing.
 */
function refusedOf(thrown: unknown): Refused | null {
  if (thrown instanceof ObjectDeleteError) return { reason: thrown.failures[0]?.reason ?? '', status: 0 };
  const isRefused =
    thrown instanceof ObjectStoreError ||
    (thrown instanceof ObjectStoreUnavailableError && thrown.details['kind'] === 'credentials');
  if (!isRefused) return null;
  const { name, code, status } = thrown.details;
  return { reason: nameOf(name) || nameOf(code), status: typeof status === 'number' ? status : 0 };
}

/** Errors without a name of their own have that of their class. */
function nameOf(value: unknown): string {
  return typeof value === 'string' && value !== 'Error' && value !== 'UnknownError' ? value : '';
}

async function settingOf(alternatives: readonly Alternative[]): Promise<string | null> {
  for (const { setting, works } of alternatives)
    try {
      await works();
      return `set ${setting}: with it the server does what is asked`;
    } catch {
      // the server refuses for another reason
    }
  return null;
}
