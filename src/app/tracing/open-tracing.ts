import { hostname } from 'node:os';
import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanExporter, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { TracingSection } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { toError } from '../../core/errors.js';
import { counter } from '../../core/metrics.js';
import { createRareWarning } from '../../core/rare-warning.js';
import type { Tracing } from '../../core/tracing.js';
import { packageVersion } from '../version.js';
import { MessageIds } from './message-ids.js';
import { MessageTraces } from './message-traces.js';
import { MessageSampler } from './sampler.js';
import { tracesUrl } from './traces-url.js';

/** Traces that are sent to a receiver. */
export interface OpenedTracing {
  readonly tracing: Tracing;
  /** Sends what waits, for at most `EXPORT_LIMIT_MS`. */
  close(): Promise<void>;
}

const EXPORT_LIMIT_MS = 5_000;
/** Clients choose the paths of their requests. */
const MOST_VALUE_LENGTH = 1_024;

/**
 * Opens the SDK of OpenTelemetry for `[Tracing]`: spans go to a receiver of OTLP over HTTP in batches, every 5 s. Spans
 * that cannot be sent, and those beyond the 2,048 that may wait, are dropped: no work waits for a receiver.
 */
export function openTracing(section: TracingSection, role: string, common: Omit<Common, 'tracing'>): OpenedTracing {
  const warn = createRareWarning(common);
  const failed = (reason: string) => warn({ reason }, 'traces could not be sent');
  diag.setLogger(toLog(failed), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const ids = new MessageIds();
  const sampler = new MessageSampler(section.SampleRatio, common.random);
  const exporter = new OTLPTraceExporter({
    url: tracesUrl(section.Endpoint),
    headers: section.Headers,
    timeoutMillis: EXPORT_LIMIT_MS,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': section.ServiceName,
      'service.version': packageVersion(),
      'service.instance.id': `${hostname()}:${process.pid}`,
      'ccip.role': role,
    }).merge(detectResources({ detectors: [envDetector] })),
    sampler,
    spanLimits: { attributeValueLengthLimit: MOST_VALUE_LENGTH },
    idGenerator: ids,
    spanProcessors: countedProcessors(exporter, common),
  });
  const tracer = provider.getTracer('ccv-indexer', packageVersion());
  return {
    tracing: new MessageTraces({ tracer, ids, sampler, clock: common.clock }),
    close: () => provider.shutdown().catch((thrown: unknown) => failed(toError(thrown).message)),
  };
}

/** Sends spans in batches, and counts them. */
function countedProcessors(exporter: SpanExporter, { metrics }: Pick<Common, 'metrics'>): SpanProcessor[] {
  const spans = counter(metrics, {
    name: 'indexer_trace_spans_total',
    help: 'Spans of traces: ended, sent to the receiver, failed to be sent. The others wait or were dropped',
    labelNames: ['outcome'],
  });
  for (const outcome of ['ended', 'sent', 'failed']) spans.inc({ outcome }, 0);
  const counting: SpanProcessor = {
    onStart: () => undefined,
    onEnd: () => spans.inc({ outcome: 'ended' }),
    forceFlush: async () => undefined,
    shutdown: async () => undefined,
  };
  const counted: SpanExporter = {
    export(batch, done) {
      exporter.export(batch, (result) => {
        spans.inc({ outcome: result.code === ExportResultCode.SUCCESS ? 'sent' : 'failed' }, batch.length);
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
  };
  // the exporter ends first, and knows the reason
  return [counting, new BatchSpanProcessor({ exporter: counted, exportTimeoutMillis: 2 * EXPORT_LIMIT_MS })];
}

/** The SDK's own log: its failures alone. */
function toLog(failed: (reason: string) => void): DiagLogger {
  return { error: failed, warn: failed, info: () => undefined, debug: () => undefined, verbose: () => undefined };
}
