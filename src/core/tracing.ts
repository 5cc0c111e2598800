import type { IncomingHttpHeaders } from 'node:http';
import type { Hex } from './hex.js';

/** Attributes of a span, by names as the semantic conventions of OpenTelemetry or `ccip.…`. */
export type SpanFacts = Readonly<Record<string, string | number>>;

/** A record that a commit added. */
export interface StoredSpan {
  readonly kind: 'message' | 'result' | 'execution';
  readonly messageId: Hex;
  readonly facts?: SpanFacts;
}

/** A span under way. */
export interface TraceSpan {
  /** Names this span to the service that a request goes to: the header of W3C Trace Context. */
  readonly traceparent: string;
  /** Begins a span within this one. */
  begin(name: string, facts?: SpanFacts): TraceSpan;
  /** Ends it; an error marks it as failed. */
  end(facts?: SpanFacts, error?: Error): void;
}

/** A request to a server. */
export interface TracedRequest {
  /** Its id in the log. */
  readonly id: string;
  readonly method: string;
  /** The pattern of its route. */
  readonly route: string;
  /** Without parameters behind a question mark. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Tells traces. A message has one trace, from the poll that found it to its answers: its trace id is the first half of
 * the message id, so that each process knows it, and so does a person who has the message id. Spans of messages that
 * are not sampled are not told.
 */
export interface Tracing {
  /** Begins the reading of records; the returned function ends it with the messages that were found. */
  find(name: string, facts: SpanFacts): (messageIds: Iterable<Hex>) => void;
  /** Begins a commit; the returned function ends it with the records that it added, and its facts. */
  store(): (stored: Iterable<StoredSpan>, facts: SpanFacts) => void;
  /** Begins an attempt to verify a message: requests about it until the end are within it. */
  attempt(messageId: Hex): TraceSpan;
  /** Begins a request about messages, in the trace of the first one that is sampled, with links to the others. */
  ask(messageIds: readonly Hex[], facts: SpanFacts): TraceSpan;
  /** Begins a read for a request; the returned function ends it with the results that are served. */
  serve(requestId: string): (results: Iterable<{ readonly messageId: Hex }>) => void;
  /**
   * Begins a request to a server, in the trace that its client names; the returned function ends it with the HTTP
   * status, null when the client went away.
   */
  request(request: TracedRequest): (status: number | null) => void;
  /** The fields that tie a line of the log to its trace: that of the message it is about, else of the request. */
  logFields(line: object): object;
}
