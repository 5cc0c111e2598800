import { IndexerError, type IndexerErrorOptions } from '../core/errors.js';
import type { Hex } from '../core/hex.js';

/**
 * The reason for which a verifier could not be asked. `refused` is a status that says our request is at fault (4xx
 * other than 404 and 429) or that we do not understand (1xx, 3xx); `server` is a 5xx; `circuit-open` and `overloaded`
 * are our own limits. An aggregator also tells `unauthenticated` and `invalid-request`, which are no outage.
 */
export type UnavailableKind =
  | 'network'
  | 'timeout'
  | 'server'
  | 'rate-limited'
  | 'refused'
  | 'unauthenticated'
  | 'invalid-request'
  | 'response-too-large'
  | 'malformed'
  | 'circuit-open'
  | 'overloaded';

/** Further facts of a `VerifierUnavailableError`. */
export interface VerifierUnavailableOptions extends IndexerErrorOptions {
  /** HTTP status, when there was one. */
  readonly status?: number;
  /** Code of gRPC, when there was one, in the spelling of Go: `Unauthenticated`. */
  readonly grpcCode?: string;
  /** The service's own words, or those of the network: one line. */
  readonly said?: string;
  /** Time for which the service asked us to stay away, ms. */
  readonly retryAfterMs?: number;
}

/** The service cannot be asked now, or its answer cannot be read. Says nothing about the messages asked for. */
export class VerifierUnavailableError extends IndexerError {
  readonly kind: UnavailableKind;
  /** The kind, with the HTTP status or code of gRPC and the service's own words where there are any. */
  readonly reason: string;
  readonly status: number | null;
  readonly retryAfterMs: number;

  constructor(verifier: string, kind: UnavailableKind, options: VerifierUnavailableOptions = {}) {
    const { status, grpcCode, said = '' } = options;
    const code = status === undefined ? (grpcCode ?? '') : `HTTP ${status}`;
    const facts = [code, said].filter((text) => text !== '').join(': ');
    const reason = facts === '' ? kind : `${kind} (${facts})`;
    super('VERIFIER_UNAVAILABLE', `verifier ${verifier} cannot be asked: ${reason}`, true, {
      ...(options.cause === undefined ? {} : { cause: options.cause }),
      details: {
        ...options.details,
        verifier,
        kind,
        ...(status === undefined ? {} : { status }),
        ...(grpcCode === undefined ? {} : { grpcCode }),
        ...(said === '' ? {} : { said }),
      },
    });
    this.kind = kind;
    this.reason = reason;
    this.status = status ?? null;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

/**
 * The check that a verifier result failed.
 * - `shape`: not the object that the wire defines · `message`: the message cannot be encoded
 * - `unrequested`: its message id is none that was asked for · `duplicate`: a second result for one message id
 * - `ccv_and_executor_hash`: the addresses are not those that the message commits to
 * - `source_not_in_message`: the verifier is none of the message's CCVs
 * - `source_not_of_reader`: the reader is not configured to speak for that verifier
 * - `ccv_data_size`: its `ccv_data` is larger than the reader takes
 * - `timestamp`: no whole unix milliseconds, or more than a day ahead of our clock
 * - `signatures`: the destination chain would refuse them · `unknown_destination`: no node can judge them
 */
export type RejectReason =
  | 'shape'
  | 'message'
  | 'unrequested'
  | 'duplicate'
  | 'ccv_and_executor_hash'
  | 'source_not_in_message'
  | 'source_not_of_reader'
  | 'ccv_data_size'
  | 'timestamp'
  | 'signatures'
  | 'unknown_destination';

/** A verifier result failed a check; `raw` are its bytes as they came, for the quarantine. */
export class VerifierResultRejectedError extends IndexerError {
  readonly verifier: string;
  readonly reason: RejectReason;
  /** Null when the message is unreadable. */
  readonly messageId: Hex | null;
  /** For people: the expected and the found. */
  readonly detail: string;
  readonly raw: Uint8Array;

  constructor(facts: {
    readonly verifier: string;
    readonly reason: RejectReason;
    readonly messageId: Hex | null;
    readonly detail: string;
    readonly raw: Uint8Array;
    readonly cause?: unknown;
  }) {
    const { verifier, reason, messageId, detail } = facts;
    super('VERIFIER_RESULT_REJECTED', `result of verifier ${verifier} rejected: ${reason}`, true, {
      ...(facts.cause === undefined ? {} : { cause: facts.cause }),
      details: { verifier, reason, messageId, detail },
    });
    this.verifier = verifier;
    this.reason = reason;
    this.messageId = messageId;
    this.detail = detail;
    this.raw = facts.raw;
  }
}
