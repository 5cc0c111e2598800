import type { SpanContext } from '@opentelemetry/api';
import { type IdGenerator, RandomIdGenerator } from '@opentelemetry/sdk-trace';
import type { Hex } from '../../core/hex.js';

/**
 * The root of a message's trace. A message id is a hash, so its bytes are as good as random ones: the first 16 are the
 * trace id, the next 8 the id of the root span.
 */
export function rootOf(messageId: Hex): Pick<SpanContext, 'traceId' | 'spanId'> {
  return { traceId: messageId.slice(2, 34), spanId: messageId.slice(34, 50) };
}

/** Random ids, but for a span that is begun as the root of a message. */
export class MessageIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #root: Pick<SpanContext, 'traceId' | 'spanId'> | null = null;

  /** Spans that `begin` begins are the root of that message. */
  asRoot<T>(messageId: Hex, begin: () => T): T {
    this.#root = rootOf(messageId);
    try {
      return begin();
    } finally {
      this.#root = null;
    }
  }

  generateTraceId(): string {
    return this.#root?.traceId ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.#root?.spanId ?? this.#random.generateSpanId();
  }
}
