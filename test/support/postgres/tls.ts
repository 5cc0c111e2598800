import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import type { PostgresConnection } from '../../../scripts/devnet/postgres/embedded-postgres.js';

/** What a client sends to ask for TLS: length, code. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** A server that speaks nothing but TLS, with a certificate of its own for `localhost`. */
export interface TlsFront {
  readonly port: number;
  /** The certificate, which is its own authority. */
  readonly certFile: string;
  close(): Promise<void>;
}

/** Puts TLS in front of a test server. @param directory is where key and certificate are made. */
export async function startTlsFront(server: PostgresConnection, directory: string): Promise<TlsFront> {
  const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  await promisify(execFile)('openssl', ['req', '-x509', ...key, '-out', certFile, ...subject]);
  const identity = { key: await readFile(keyFile), cert: await readFile(certFile) };
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    sockets.add(client);
    client.on('error', () => client.destroy());
    client.once('data', (first) => {
      if (!first.equals(SSL_REQUEST)) {
        client.destroy();
        return;
      }
      client.write('S');
      const upstream = connect(server.port, server.host);
      sockets.add(upstream);
      const secure = new TLSSocket(client, { isServer: true, ...identity });
      for (const socket of [secure, upstream]) socket.on('error', () => socket.destroy());
      secure.pipe(upstream).pipe(secure);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, resolve));
  const address = listener.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    certFile,
    async close() {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
