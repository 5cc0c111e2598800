import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import type { Reaper } from './reaper.js';

/** A database as a process reaches it that a `Reaper` may end at any statement that writes. */
export interface StatementProxy {
  readonly connection: PostgresConnection;
  close(): Promise<void>;
}

const TYPES = { query: 'Q', parse: 'P', bind: 'B', execute: 'E', sync: 'S' };
const READ_ONLY = /^\s*(?:\(?SELECT|SET|LISTEN|BEGIN|ROLLBACK)/i;

/**
 * Reads what clients send, message by message, and counts statements that write, COMMIT among them.
 * @param server over its socket, as the proxy is then: that takes less CPU time than TCP.
 */
export async function startStatementProxy(server: PostgresConnection, reaper: Reaper): Promise<StatementProxy> {
  const sockets = new Set<Socket>();
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  reaper.onDeath(cutAll);

  const listener = createServer((client) => {
    if (reaper.isDead) {
      client.destroy();
      return;
    }
    const upstream = connect(socketIn(server.host, server.port));
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    let isDeaf = false;
    const watch = watchStatements((what) => reaper.next(what));
    client.on('data', (chunk: Buffer) => {
      const { through, end } = watch(chunk);
      if (end === 'after') isDeaf = true;
      if (end === 'before') {
        // what came before it arrives, and is rolled back when the connection ends
        upstream.write(through, () => reaper.kill());
        return;
      }
      upstream.write(through);
    });
    upstream.on('data', (chunk: Buffer) => {
      if (isDeaf) reaper.kill();
      else client.write(chunk);
    });
  });
  const directory = await mkdtemp(join(tmpdir(), 'ccv-proxy-'));
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(socketIn(directory, server.port), resolve);
  });
  return {
    connection: { ...server, host: directory },
    async close() {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      cutAll();
      await closed;
      await rm(directory, { recursive: true });
    },
  };
}

/** Where clients of Postgres look for a server's socket. */
function socketIn(directory: string, port: number): string {
  return join(directory, `.s.PGSQL.${port}`);
}

/**
 * What of a client's bytes is to be passed on. `after` is told with the bytes up to the end of the statement: when the
 * server answers next, it was done.
 */
function watchStatements(next: (what: string) => 'before' | 'after' | null) {
  const texts = new Map<string, { name: string; text: string }>();
  let rest = Buffer.alloc(0);
  let isStarted = false;
  let bound = '';

  function statementIn(type: string, body: Buffer): { name: string; text: string } | null {
    if (type === TYPES.query) {
      const text = textAt(body, 0).text;
      return { name: text.split(/\s/)[0] ?? text, text };
    }
    if (type === TYPES.parse) {
      const name = textAt(body, 0);
      texts.set(name.text, { name: name.text, text: textAt(body, name.end).text });
    }
    if (type === TYPES.bind) bound = textAt(body, textAt(body, 0).end).text;
    return type === TYPES.execute ? (texts.get(bound) ?? null) : null;
  }

  return (chunk: Buffer): { readonly through: Buffer; readonly end: 'before' | 'after' | null } => {
    rest = Buffer.concat([rest, chunk]);
    const through: Buffer[] = [];
    let end: 'before' | 'after' | null = null;
    for (;;) {
      const header = isStarted ? 5 : 4;
      if (rest.length < header) break;
      const size = rest.readUInt32BE(header - 4) + header - 4;
      if (rest.length < size) break;
      const message = rest.subarray(0, size);
      rest = rest.subarray(size);
      const type = isStarted ? String.fromCharCode(message[0] ?? 0) : '';
      isStarted = true;
      const statement = statementIn(type, message.subarray(header));
      if (statement && end === null && !READ_ONLY.test(statement.text)) {
        end = next(statement.name);
        if (end === 'before') return { through: Buffer.concat(through), end };
      }
      through.push(message);
    }
    return { through: Buffer.concat(through), end };
  };
}

function textAt(body: Buffer, start: number): { readonly text: string; readonly end: number } {
  const end = body.indexOf(0, start);
  return { text: body.toString('utf8', start, end), end: end + 1 };
}
