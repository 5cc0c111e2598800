import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One call inside a request. */
export interface ProxiedCall {
  readonly id: unknown;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** What the node, or a fault, answers to a call. */
export type ProxiedAnswer = { result: unknown } | { error: { code: number; message: string } };

/** Stands for the node in one call: asks it with `forward`, changes what it says, or says something else. */
export type CallFault = (call: ProxiedCall, forward: () => Promise<ProxiedAnswer>) => Promise<ProxiedAnswer>;

/** Takes over a whole request; true when it answered, or means never to. */
export type RequestFault = (calls: readonly ProxiedCall[], response: ServerResponse) => boolean;

/** A JSON-RPC proxy in front of a node that can break in all the ways that nodes do. */
export interface RpcProxy {
  readonly url: string;
  /** Calls that arrived, by method. */
  count(method?: string): number;
  /** Requests that arrived, with the calls in each. */
  readonly requests: (readonly ProxiedCall[])[];
  onCall: CallFault | null;
  onRequest: RequestFault | null;
  close(): Promise<void>;
}

/** Starts a proxy on a free port of 127.0.0.1. */
export async function startRpcProxy(target: string): Promise<RpcProxy> {
  const requests: (readonly ProxiedCall[])[] = [];

  async function forward(call: ProxiedCall): Promise<ProxiedAnswer> {
    const response = await fetch(target, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: call.method, params: call.params }),
    });
    return (await response.json()) as ProxiedAnswer;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as ProxiedCall | ProxiedCall[];
    const calls = Array.isArray(body) ? body : [body];
    requests.push(calls);
    if (proxy.onRequest?.(calls, response)) return;
    const answers = await Promise.all(
      calls.map(async (call) => {
        const answer = await (proxy.onCall ? proxy.onCall(call, () => forward(call)) : forward(call));
        return 'error' in answer
          ? { jsonrpc: '2.0', id: call.id, error: answer.error }
          : { jsonrpc: '2.0', id: call.id, result: answer.result };
      }),
    );
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(Array.isArray(body) ? answers : answers[0]));
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: RpcProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    count: (method) => requests.flat().filter((call) => method === undefined || call.method === method).length,
    onCall: null,
    onRequest: null,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}
