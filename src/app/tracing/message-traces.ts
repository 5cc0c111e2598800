import {
  type Context,
  defaultTextMapGetter,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/clock.js';
import { type Hex, isHex } from '../../core/hex.js';
import { secrets } from '../../core/masker.js';
import type { SpanFacts, StoredSpan, TracedRequest, TraceSpan, Tracing } from '../../core/tracing.js';
import { type MessageIds, rootOf } from './message-ids.js';
import type { MessageSampler } from './sampler.js';

/** The parts of traces. */
export interface MessageTracesOptions {
  readonly tracer: Tracer;
  /** Of the tracer. */
  readonly ids: MessageIds;
  /** Of the tracer. */
  readonly sampler: MessageSampler;
  readonly clock: Clock;
}

/** Messages of which this process remembers how much it told. */
const REMEMBERED = 10_000;
/** Attempts that a process tells of one message: the trace of a message that is never verified ends, too. */
const MOST_ATTEMPTS = 500;
/** As many as span limits admit. */
const MOST_LINKS = 128;

/** The reading that found a message. */
interface Finding {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly facts: SpanFacts;
}

const PROPAGATOR = new W3CTraceContextPropagator();

/** Tells the traces of messages and requests to a tracer of OpenTelemetry. */
export class MessageTraces implements Tracing {
  readonly #options: MessageTracesOptions;
  readonly #found = new LRUCache<Hex, Finding>({ max: REMEMBERED });
  readonly #attempts = new LRUCache<Hex, number>({ max: REMEMBERED });
  /** The most results with which an answer was told, by message. */
  readonly #served = new LRUCache<Hex, number>({ max: REMEMBERED });
  readonly #underWay = new Map<Hex, Context>();
  /** Those under way, by their ids in the log. */
  readonly #requests = new Map<string, Span>();

  constructor(options: MessageTracesOptions) {
    this.#options = options;
  }

  find(name: string, facts: SpanFacts): (messageIds: Iterable<Hex>) => void {
    const timer = this.#timer();
    return (messageIds) => {
      const finding = { name, startMs: timer.startMs, endMs: timer.endMs(), facts };
      for (const messageId of messageIds)
        if (this.#isSampled(messageId) && !this.#found.has(messageId)) this.#found.set(messageId, finding);
    };
  }

  store(): (stored: Iterable<StoredSpan>, facts: SpanFacts) => void {
    const timer = this.#timer();
    return (stored, facts) => {
      const endMs = timer.endMs();
      for (const { kind, messageId, facts: own } of stored) {
        if (!this.#isSampled(messageId)) continue;
        const span = { startMs: timer.startMs, endMs, facts: { ...facts, ...own } };
        if (kind === 'message') this.#tellFound(messageId, span);
        this.#tell(`${kind}.store`, messageId, span);
      }
    };
  }

  attempt(messageId: Hex): TraceSpan {
    const parent = this.#parent(messageId);
    const span = this.#begin('verification.attempt', parent, { 'ccip.message_id': messageId });
    this.#underWay.set(messageId, trace.setSpan(parent, span));
    return this.#spanOf(span, () => {
      this.#underWay.delete(messageId);
      if (this.#isSampled(messageId)) this.#attempts.set(messageId, (this.#attempts.get(messageId) ?? 0) + 1);
    });
  }

  ask(messageIds: readonly Hex[], facts: SpanFacts): TraceSpan {
    const sampled = messageIds.filter((messageId) => this.#mayAsk(messageId));
    const [first, ...others] = sampled.length > 0 ? sampled : messageIds.slice(0, 1);
    const parent = first === undefined ? ROOT_CONTEXT : (this.#underWay.get(first) ?? this.#parent(first));
    const links = others.slice(0, MOST_LINKS).map((messageId): Link => ({ context: sampledRoot(messageId) }));
    const all = { ...facts, 'ccip.messages': messageIds.length };
    return this.#spanOf(this.#begin('verifier.request', parent, all, { kind: SpanKind.CLIENT, links }));
  }

  serve(requestId: string): (results: Iterable<{ readonly messageId: Hex }>) => void {
    const timer = this.#timer();
    return (results) => {
      const counts = new Map<Hex, number>();
      for (const { messageId } of results)
        if (this.#isSampled(messageId)) counts.set(messageId, (counts.get(messageId) ?? 0) + 1);
      const request = this.#requests.get(requestId);
      const links = request ? [{ context: request.spanContext() }] : [];
      for (const [messageId, count] of counts) {
        if ((this.#served.get(messageId) ?? 0) >= count) continue;
        this.#served.set(messageId, count);
        request?.addLink({ context: sampledRoot(messageId) });
        const facts = { 'ccip.results': count };
        this.#tell('message.serve', messageId, { startMs: timer.startMs, endMs: timer.endMs(), facts, links });
      }
    };
  }

  request({ id, method, route, path, headers }: TracedRequest): (status: number | null) => void {
    const parent = PROPAGATOR.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
    const name = { 'http.request.method': method, 'http.route': route, 'url.path': path, 'ccip.request_id': id };
    const span = this.#begin(`${method} ${route}`, parent, name, { kind: SpanKind.SERVER });
    const timed = this.#spanOf(span);
    this.#requests.set(id, span);
    return (status) => {
      if (this.#requests.get(id) === span) this.#requests.delete(id);
      if (status === null || status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      timed.end(status === null ? { 'error.type': 'aborted' } : { 'http.response.status_code': status });
    };
  }

  logFields(line: object): object {
    const { messageId, requestId } = line as { readonly messageId?: unknown; readonly requestId?: unknown };
    if (isHex(messageId) && messageId.length === 66) return { trace_id: rootOf(messageId).traceId };
    const span = typeof requestId === 'string' ? this.#requests.get(requestId)?.spanContext() : undefined;
    return span ? { trace_id: span.traceId, span_id: span.spanId } : {};
  }

  /** The root, which reaches from the reading that found the message to its commit, and that reading. */
  #tellFound(messageId: Hex, stored: Omit<Finding, 'name'>): void {
    const found = this.#found.get(messageId);
    this.#found.delete(messageId);
    const { tracer, ids } = this.#options;
    const attributes = { ...found?.facts, 'ccip.message_id': messageId };
    const startTime = found?.startMs ?? stored.startMs;
    const begin = () => tracer.startSpan('message', { root: true, startTime, attributes }, ROOT_CONTEXT);
    ids.asRoot(messageId, begin).end(stored.endMs);
    if (found) this.#tell(found.name, messageId, found);
  }

  #tell(name: string, messageId: Hex, span: Omit<Finding, 'name'> & { readonly links?: Link[] }): void {
    const { startMs: startTime, endMs, facts: attributes, links = [] } = span;
    const parent = trace.setSpanContext(ROOT_CONTEXT, sampledRoot(messageId));
    this.#options.tracer.startSpan(name, { startTime, attributes, links }, parent).end(endMs);
  }

  #begin(
    name: string,
    parent: Context,
    attributes: SpanFacts,
    { kind = SpanKind.INTERNAL, links = [] }: { readonly kind?: SpanKind; readonly links?: Link[] } = {},
  ): Span {
    const startTime = this.#options.clock.nowMs();
    const shown = secrets.value(attributes);
    return this.#options.tracer.startSpan(name, { startTime, attributes: shown, kind, links }, parent);
  }

  #spanOf(span: Span, onEnd: () => void = () => undefined): TraceSpan {
    const timer = this.#timer();
    const { traceId, spanId, traceFlags } = span.spanContext();
    return {
      traceparent: `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`,
      begin: (name, facts = {}) => this.#spanOf(this.#begin(name, trace.setSpan(ROOT_CONTEXT, span), facts)),
      end(facts = {}, error) {
        onEnd();
        span.setAttributes(secrets.value(facts));
        if (error) {
          span.setAttribute('error.type', error.name);
          span.setStatus({ code: SpanStatusCode.ERROR, message: secrets.text(error.message) });
        }
        span.end(timer.endMs());
      },
    };
  }

  /** The root, as the parent of attempts and requests. */
  #parent(messageId: Hex): Context {
    const traceFlags = this.#mayAsk(messageId) ? TraceFlags.SAMPLED : TraceFlags.NONE;
    return trace.setSpanContext(ROOT_CONTEXT, { ...sampledRoot(messageId), traceFlags });
  }

  #isSampled(messageId: Hex): boolean {
    return this.#options.sampler.isSampled(rootOf(messageId).traceId);
  }

  #mayAsk(messageId: Hex): boolean {
    return this.#isSampled(messageId) && (this.#attempts.get(messageId) ?? 0) < MOST_ATTEMPTS;
  }

  /** Begins now by the wall clock, and lasts by the monotonic one, both in ms. */
  #timer(): { readonly startMs: number; endMs(): number } {
    const { clock } = this.#options;
    const startMs = clock.nowMs();
    const startedMs = clock.monotonicMs();
    return { startMs, endMs: () => startMs + (clock.monotonicMs() - startedMs) };
  }
}

/** The root, which another process may have told. */
function sampledRoot(messageId: Hex): SpanContext {
  return { ...rootOf(messageId), traceFlags: TraceFlags.SAMPLED, isRemote: true };
}
