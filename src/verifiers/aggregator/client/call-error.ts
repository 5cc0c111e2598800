import { IndexerError, type IndexerErrorOptions } from '../../../core/errors.js';

/**
 * The reason for which a call failed.
 * - `network`: no connection, or one that broke · `timeout`: no answer within the deadline
 * - `server`: the aggregator is at fault · `busy`: it asks for patience (its queue is full, a rate limit); both pass
 * - `unauthenticated`: credentials or a clock are wrong · `invalid-request`: it does not take the request's content;
 *   neither is an outage
 * - `refused`: it does not know the method, or gives another answer that patience does not change
 * - `response-too-large`: the answer exceeds the cap, which is ours · `malformed`: the answer cannot be read
 */
export type AggregatorFailure =
  | 'network'
  | 'timeout'
  | 'server'
  | 'busy'
  | 'unauthenticated'
  | 'invalid-request'
  | 'refused'
  | 'response-too-large'
  | 'malformed';

const PASSING: ReadonlySet<AggregatorFailure> = new Set(['network', 'timeout', 'server', 'busy']);

/** Facts of an `AggregatorCallError`. */
export interface AggregatorCallFacts extends IndexerErrorOptions {
  readonly aggregator: string;
  readonly kind: AggregatorFailure;
  /** The code of gRPC in the spelling of Go, such as `ResourceExhausted`. */
  readonly grpcCode: string;
  /** One line: the words of the aggregator or the network, and the step to take where it is known. */
  readonly said: string;
  /** Time that this machine's clock is behind the aggregator's, ms; null: not known. */
  readonly behindMs?: number | null;
}

/** A call to an aggregator failed. Holds no credential, nor a part of one. */
export class AggregatorCallError extends IndexerError {
  readonly kind: AggregatorFailure;
  readonly grpcCode: string;
  readonly said: string;
  /** The code and the words: one line. */
  readonly reason: string;
  readonly behindMs: number | null;

  constructor({ aggregator, kind, grpcCode, said, behindMs = null, ...options }: AggregatorCallFacts) {
    const reason = said === '' ? grpcCode : `${grpcCode}: ${said}`;
    super('AGGREGATOR_CALL', `aggregator ${aggregator} gives no answer: ${kind} (${reason})`, PASSING.has(kind), {
      ...options,
      details: { ...options.details, aggregator, kind, grpcCode, said, ...(behindMs === null ? {} : { behindMs }) },
    });
    this.kind = kind;
    this.grpcCode = grpcCode;
    this.said = said;
    this.reason = reason;
    this.behindMs = behindMs;
  }
}
