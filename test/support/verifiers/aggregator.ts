import { afterEach } from 'vitest';
import {
  type AggregatorServer,
  type AggregatorServerOptions,
  startAggregatorServer,
} from '../../../scripts/devnet/aggregator/aggregator-server.js';
import { createCommon } from '../../../src/core/common.js';
import type { Registry } from '../../../src/core/metrics.js';
import {
  type AggregatorClient,
  type AggregatorClientOptions,
  createAggregatorClient,
} from '../../../src/verifiers/aggregator/client/aggregator-client.js';
import { AggregatorCallError } from '../../../src/verifiers/aggregator/client/call-error.js';

export const API_KEY = '5c2d9f6e-41b7-4c0a-9b7e-2f4d1a6b8c93';
export const SECRET = 'c4'.repeat(16) + '7d'.repeat(16);

/** Runs after the test, the last first. */
export const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Starts an aggregator of the devnet that knows one client. */
export async function openAggregator(options: Partial<AggregatorServerOptions> = {}): Promise<AggregatorServer> {
  const aggregator = await startAggregatorServer({
    clients: new Map([[API_KEY, SECRET]]),
    nowMs: () => Date.now(),
    ...options,
  });
  closing.push(() => aggregator.close());
  return aggregator;
}

/** An aggregator, and a client that knows its credentials. */
export async function openClient(
  client: Partial<AggregatorClientOptions> = {},
  server: Partial<AggregatorServerOptions> = {},
): Promise<{ aggregator: AggregatorServer; client: AggregatorClient; metrics: Registry }> {
  const aggregator = await openAggregator(server);
  const common = client.common ?? createCommon();
  const open = createAggregatorClient({
    name: 'agg',
    // the name in the certificate
    address: client.insecure === false ? aggregator.address.replace('127.0.0.1', 'localhost') : aggregator.address,
    apiKey: API_KEY,
    secret: SECRET,
    insecure: true,
    timeoutMs: 60_000,
    maxResponseBytes: 4 * 1024 * 1024,
    common,
    ...client,
  });
  closing.push(() => open.close());
  return { aggregator, client: open, metrics: common.metrics };
}

/** The error of a call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<AggregatorCallError> {
  const thrown = await call.then(
    () => 'nothing',
    (error: unknown) => error,
  );
  if (!(thrown instanceof AggregatorCallError)) throw new Error(`no AggregatorCallError but ${thrown}`);
  return thrown;
}
