import type { SpanContext } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { MessageIds } from '../../../src/app/tracing/message-ids.js';
import { MessageTraces } from '../../../src/app/tracing/message-traces.js';
import { MessageSampler } from '../../../src/app/tracing/sampler.js';
import { systemClock } from '../../../src/core/clock.js';
import { seededRandom } from '../../../src/core/random.js';

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
  const sampler = new MessageSampler(ratio, seededRandom(1));
  const provider = new TracerProvider({
    sampler,
    idGenerator: ids,
    spanProcessors: [new SimpleSpanProcessor({ exporter: told })],
  });
  return {
    tracing: new MessageTraces({ tracer: provider.getTracer('test'), ids, sampler, clock: systemClock }),
    spans: () =>
      told
        .getFinishedSpans()
        .map((span) => ({ ...span.spanContext(), name: span.name, parent: span.parentSpanContext, span })),
  };
}
