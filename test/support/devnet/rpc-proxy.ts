import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A JSON-RPC node reached through a proxy that counts, and misbehaves when told to. */
export interface RpcProxy {
  readonly url: string;
  /** Answers of this method so far. */
  count(method: string): number;
  /**
   * How calls of `method` (all without one) fail from now on: `refuse` drops the connection before the node sees the
   * call, `lose` drops it after the node has answered. Null: works again.
   */
  fail(how: 'refuse' | 'lose' | null, method?: string): void;
  /** Calls refused so far. */
  refused(): number;
  close(): Promise<void>;
}

export async function startRpcProxy(target: string): Promise<RpcProxy> {
  const counts = new Map<string, number>();
  let refused = 0;
  let failure: { how: 'refuse' | 'lose'; method: string | undefined } | null = null;
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method } = JSON.parse(body) as { method: string };
    const failing = failure && (failure.method ?? method) === method ? failure.how : null;
    if (failing === 'refuse') {
      refused += 1;
      request.socket.destroy();
      return;
    }
    const text = await forward(target, body);
    if (text === null) {
      request.socket.destroy();
      return;
    }
    counts.set(method, (counts.get(method) ?? 0) + 1);
    if (failing === 'lose') request.socket.destroy();
    else response.setHeader('content-type', 'application/json').end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: (method) => counts.get(method) ?? 0,
    fail(how, method) {
      failure = how === null ? null : { how, method };
    },
    refused: () => refused,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Null when the node is not there: its clients see that as they would without a proxy. */
async function forward(target: string, body: string): Promise<string | null> {
  try {
    const headers = { 'content-type': 'application/json' };
    return await (await fetch(target, { method: 'POST', headers, body })).text();
  } catch {
    return null;
  }
}
