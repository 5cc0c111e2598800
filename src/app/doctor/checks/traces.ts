import { request } from 'undici';
import { messagesOf, toError } from '../../../core/errors.js';
import { createDispatcher } from '../../../core/network/http-agents.js';
import { tracesUrl } from '../../tracing/traces-url.js';
import { defineCheck } from '../check.js';

/** Whether the receiver of traces takes an empty export. */
export const traceCheck = defineCheck({
  name: 'traces',
  about: 'whether the receiver of traces takes them',
  kinds: {
    'trace-receiver-unreachable': {
      severity: 'warning',
      meaning: 'The receiver of traces gives no answer: spans are dropped, and nothing else waits for it.',
      next: 'see Endpoint of [Tracing] and the receiver',
    },
    'trace-receiver-refused': {
      severity: 'warning',
      meaning: 'The receiver of traces refuses them: spans are dropped, and nothing else waits for it.',
      next: 'correct Endpoint or Headers of [Tracing]: it is to take JSON of OTLP over HTTP',
    },
  },
  async run({ config, signal, found }) {
    if (!config.Tracing) return;
    const { Endpoint, Headers } = config.Tracing;
    const url = tracesUrl(Endpoint);
    const dispatcher = createDispatcher(url, { connections: 1 });
    try {
      const headers = { ...Headers, 'content-type': 'application/json' };
      const body = '{"resourceSpans":[]}';
      const { statusCode, body: answer } = await request(url, { method: 'POST', headers, body, dispatcher, signal });
      await answer.dump();
      if (statusCode >= 300) found('trace-receiver-refused', 'Tracing', { status: statusCode });
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      found('trace-receiver-unreachable', 'Tracing', { reason: messagesOf(toError(thrown)).join(': ') });
    } finally {
      await dispatcher.destroy();
    }
  },
});
