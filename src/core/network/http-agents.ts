import type { Agent as HttpAgent } from 'node:http';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { Agent, type Dispatcher, Pool, ProxyAgent } from 'undici';
import { outboundProxy } from './outbound-proxy.js';

/**
 * The dispatcher of undici for a URL: through its proxy where there is one. `onConnect` is called for each
 * connection.
 */
export function createDispatcher(
  url: string,
  options: Agent.Options,
  { onConnect }: { readonly onConnect?: () => void } = {},
): Dispatcher {
  const proxy = outboundProxy(url);
  const factory = (origin: string | URL, settings: object) => {
    const pool = new Pool(origin, settings);
    if (onConnect) pool.on('connect', onConnect);
    return pool;
  };
  return proxy === null ? new Agent({ ...options, factory }) : new ProxyAgent({ ...options, factory, uri: proxy });
}

/** The agent of `node:http`, and of clients built on it, for a URL: null without a proxy. */
export function createProxyAgent(url: string, options: { readonly maxSockets?: number } = {}): HttpAgent | null {
  const proxy = outboundProxy(url);
  return proxy === null ? null : new HttpsProxyAgent(proxy, { keepAlive: true, ...options });
}
