import { request } from 'node:http';
import { connect } from 'node:net';
import type { ApiSettings } from '../../../src/api/api-settings.js';
import { type ApiServerOptions, createApiServer } from '../../../src/api/server/api-server.js';
import { type Common, createCommon } from '../../../src/core/common.js';
import { parseExactJson } from '../../../src/protocol/exact-json.js';
import type { Storage } from '../../../src/storage/storage.js';

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body as it came, compressed or not. */
  readonly bytes: Buffer;
  readonly text: string;
  /** The body with every digit of its numbers. */
  readonly json: () => unknown;
}

/** A query API on a real port. */
export interface RunningApi {
  readonly url: string;
  readonly port: number;
  readonly common: Common;
  get(path: string, headers?: Record<string, string>, method?: string): Promise<Answer>;
  close(): Promise<void>;
}

export async function startApi(
  storage: ApiServerOptions['storage'],
  settings: Partial<ApiSettings> = {},
  overrides: Partial<Common> = {},
  options: Partial<ApiServerOptions> = {},
): Promise<RunningApi> {
  const common = createCommon(overrides);
  const server = createApiServer({
    storage,
    common,
    settings: { host: '127.0.0.1', port: 0, ...settings },
    version: '1.2.3',
    ...options,
  });
  await server.listen();
  const port = server.address()?.port ?? 0;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    common,
    get: (path, headers = {}, method = 'GET') => ask(port, path, headers, method),
    close: () => server.close(),
  };
}

/** A storage whose parts can be put in the place of others. */
export function partsOf(storage: Storage): ApiServerOptions['storage'] {
  return {
    getCCVData: storage.getCCVData.bind(storage),
    getMessage: storage.getMessage.bind(storage),
    getExecutions: storage.getExecutions.bind(storage),
    getTransaction: storage.getTransaction.bind(storage),
    queryCCVData: storage.queryCCVData.bind(storage),
    queryMessages: storage.queryMessages.bind(storage),
    list: storage.list.bind(storage),
    count: storage.count.bind(storage),
    queryUnfinishedMessages: storage.queryUnfinishedMessages.bind(storage),
    changesAfter: storage.changesAfter.bind(storage),
    boundaryAt: storage.boundaryAt.bind(storage),
    subscribe: storage.subscribe.bind(storage),
    health: storage.health.bind(storage),
  };
}

/** One request on a connection of its own. */
export function ask(port: number, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const text = bytes.toString('utf8');
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          bytes,
          text,
          json: () => parseExactJson(text),
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** Sends bytes as they are and resolves with everything that comes back until the other side closes. */
export function askRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? resolve(text) : reject(error)));
  });
}

/** A promise and its ends, for a step that a test holds back. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
