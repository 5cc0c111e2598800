import { type Context, ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api';
import {
  type Sampler,
  SamplingDecision,
  type SamplingResult,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import type { Random } from '../../core/random.js';

/**
 * Samples a part of the messages by their trace ids, so that all processes choose the same, and a part of the requests
 * at random: a client that chooses its trace ids must not crowd out the messages. A request of a trace that its client
 * does not sample is not sampled.
 */
export class MessageSampler implements Sampler {
  readonly #ratio: number;
  readonly #random: Random;
  readonly #byId: TraceIdRatioBasedSampler;

  constructor(ratio: number, random: Random) {
    this.#ratio = ratio;
    this.#random = random;
    this.#byId = new TraceIdRatioBasedSampler(ratio);
  }

  /** Whether the message with that trace id is sampled. */
  isSampled(traceId: string): boolean {
    return this.#byId.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED;
  }

  shouldSample(context: Context, _traceId: string, _name: string, kind: SpanKind): SamplingResult {
    const parent = trace.getSpanContext(context);
    // a span without a parent is a request, or the root of a message that is sampled
    const admits = parent === undefined || (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
    const isSampled = admits && (kind !== SpanKind.SERVER || this.#random() < this.#ratio);
    return { decision: isSampled ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD };
  }

  toString(): string {
    return `MessageSampler{${this.#ratio}}`;
  }
}
