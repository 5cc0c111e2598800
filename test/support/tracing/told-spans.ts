import { ROOT_CONTEXT, type SpanContext } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  ParentBasedSampler,
  type ReadableSpan,
  SamplingDecision,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { MessageIds } from '../../../src/app/tracing/message-ids.js';
import { MessageTraces } from '../../../src/app/tracing/message-traces.js';
import { systemClock } from '../../../src/core/clock.js';

/** A span that has ended. */
interface ToldSpan extends SpanContext {
  readonly name: string;
  readonly parent: SpanContext | undefined;
  readonly span: ReadableSpan;
}

/** Traces of a part of all messages, told to memory by the real SDK. */
export function traces(ratio = 1): { readonly tracing: MessageTraces; spans(): readonly ToldSpan[] } {
  const told = new InMemorySpanExporter();
  const ids = new MessageIds();
  const sampler = new TraceIdRatioBasedSampler(ratio);
  const provider = new TracerProvider({
    sampler: new ParentBasedSampler({ root: sampler }),
    idGenerator: ids,
    spanProcessors: [new SimpleSpanProcessor({ exporter: told })],
  });
  const isSampled = (traceId: string) =>
    sampler.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED;
  return {
    tracing: new MessageTraces({ tracer: provider.getTracer('test'), ids, isSampled, clock: systemClock }),
    spans: () =>
      told
        .getFinishedSpans()
        .map((span) => ({ ...span.spanContext(), name: span.name, parent: span.parentSpanContext, span })),
  };
}
