import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { S3TestServer } from './server.js';

/** What becomes of one request on its way to the S3 server. */
export type ProxyAction =
  | { readonly kind: 'pass' }
  /** Answered by the proxy; the server never hears of it. */
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  /** Carried out, its answer lost with the connection. */
  | { readonly kind: 'lose-answer' }
  /** Carried out twice, as a proxy does that repeats by itself; the second answer is passed on. */
  | { readonly kind: 'repeat' }
  /** Reset, where the connection had been kept from an earlier request, as by a server that closes idle ones; else passed on. */
  | { readonly kind: 'reset-kept' }
  /** Never answered. */
  | { readonly kind: 'hang' }
  /** Only the first bytes of the body are passed on; then the connection is closed, or left open without a word. */
  | { readonly kind: 'cut' | 'stall'; readonly afterBytes: number }
  /** Answered with another status or headers, or with only the end of the body. */
  | {
      readonly kind: 'change';
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly dropHeaders?: readonly string[];
      readonly dropBytes?: number;
    }
  /** Answered with another body. */
  | { readonly kind: 'rewrite'; readonly body: (body: string) => string };

/** Decides about a request by what it says. */
export type ProxyRule = (request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>) => ProxyAction;

/** A request that the proxy saw. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** True once the client gave the request up before it was answered whole. */
  abandoned: boolean;
}

/** An HTTP proxy in front of an S3 server. It leaves the Host header alone, so that signatures hold. */
export interface S3Proxy {
  readonly endpoint: string;
  /** All requests so far. */
  readonly seen: readonly SeenRequest[];
  /** Decides about the next requests in turn; afterwards all pass. */
  next(...actions: readonly ProxyAction[]): void;
  /** Decides about all requests, until `next` has actions or it is called with `pass`. */
  always(action: ProxyAction | ProxyRule): void;
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** Starts a proxy in front of `server`. */
export async function startS3Proxy(server: S3TestServer): Promise<S3Proxy> {
  const seen: SeenRequest[] = [];
  const queue: ProxyAction[] = [];
  let lasting: ProxyAction | ProxyRule = { kind: 'pass' };
  const kept = new WeakSet<object>();
  const proxy = createServer((incoming, outgoing) => {
    const entry = { method: incoming.method ?? '', path: incoming.url ?? '', abandoned: false };
    seen.push(entry);
    outgoing.once('close', () => {
      entry.abandoned = !outgoing.writableFinished;
    });
    const action = queue.shift() ?? (typeof lasting === 'function' ? lasting(incoming) : lasting);
    if (action.kind === 'reset-kept' && kept.has(incoming.socket)) {
      incoming.socket.resetAndDestroy();
      return;
    }
    kept.add(incoming.socket);
    handle(server, action, incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    seen,
    next: (...actions) => {
      queue.push(...actions);
    },
    always: (action) => {
      lasting = action;
    },
    stop: async () => {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

async function handle(
  server: S3TestServer,
  action: ProxyAction,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const body = await readAll(incoming);
  switch (action.kind) {
    case 'pass':
    case 'reset-kept':
      return reply(outgoing, await forward(server, incoming, body));
    case 'answer':
      return reply(outgoing, { status: action.status, headers: {}, body: Buffer.from(action.body) });
    case 'lose-answer':
      await forward(server, incoming, body);
      outgoing.destroy();
      return;
    case 'repeat':
      await forward(server, incoming, body);
      return reply(outgoing, await forward(server, incoming, body));
    case 'hang':
      return;
    case 'cut':
    case 'stall': {
      const answer = await forward(server, incoming, body);
      outgoing.writeHead(answer.status, answer.headers);
      outgoing.write(answer.body.subarray(0, action.afterBytes), () => {
        if (action.kind === 'cut') outgoing.destroy();
      });
      return;
    }
    case 'rewrite': {
      const answer = await forward(server, incoming, body);
      const { 'transfer-encoding': _, ...headers } = answer.headers;
      const changed = Buffer.from(action.body(answer.body.toString()));
      return reply(outgoing, {
        ...answer,
        headers: { ...headers, 'content-length': String(changed.length) },
        body: changed,
      });
    }
    case 'change': {
      const answer = await forward(server, incoming, body);
      const changed = answer.body.subarray(action.dropBytes ?? 0);
      const headers = { ...answer.headers, ...action.headers };
      if (action.dropBytes) headers['content-length'] = String(changed.length);
      for (const name of action.dropHeaders ?? []) delete headers[name];
      return reply(outgoing, { status: action.status ?? answer.status, headers, body: changed });
    }
  }
}

function reply(outgoing: ServerResponse, answer: Answer): void {
  outgoing.writeHead(answer.status, answer.headers);
  outgoing.end(answer.body);
}

async function forward(server: S3TestServer, incoming: IncomingMessage, body: Buffer): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const { method, url: path, headers } = incoming;
    const outgoing = sendRequest(
      { host: server.host, port: server.port, method, path, headers, agent: false },
      (answer) => {
        readAll(answer).then(
          (received) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: received }),
          reject,
        );
      },
    );
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
